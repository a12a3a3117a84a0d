#!/bin/sh
# The Debian packages of this machine or image as an SPDX 2.3 document on stdout, and what was built
# from a source package of Debian's (docker/ffmpeg.sh).
#   sbom.sh VERSION CREATED      (CREATED: 2024-01-31T12:00:00Z)
set -eu
version=$1 created=$2
# shellcheck source=/dev/null
distro=$(. /etc/os-release && echo "$ID-$VERSION_ID")

# SPDX ids allow letters, digits, dot and dash; a package URL wants "+" and ":" escaped.
{
    dpkg-query -W -f '${binary:Package} ${Version} ${Architecture}\n'
    built=/usr/local/share/doc/ffmpeg/version
    [ ! -e $built ] || echo "ffmpeg $(cat $built) source"
} |
awk -v version="$version" -v created="$created" -v distro="$distro" '
function id(text) { gsub(/[^A-Za-z0-9.-]/, "-", text); return text }
function url(text) { gsub(/\+/, "%2B", text); gsub(/:/, "%3A", text); return text }
BEGIN {
    print "{\"spdxVersion\":\"SPDX-2.3\",\"dataLicense\":\"CC0-1.0\",\"SPDXID\":\"SPDXRef-DOCUMENT\","
    print "\"name\":\"voiceprintd-" version "\","
    print "\"documentNamespace\":\"urn:voiceprintd:sbom:" version ":" created "\","
    print "\"creationInfo\":{\"created\":\"" created "\",\"creators\":[\"Tool: sbom.sh\"]},"
    print "\"packages\":["
    printf "{\"SPDXID\":\"SPDXRef-voiceprintd\",\"name\":\"voiceprintd\",\"versionInfo\":\"%s\"," \
           "\"downloadLocation\":\"NOASSERTION\",\"filesAnalyzed\":false," \
           "\"licenseDeclared\":\"Apache-2.0\"}", version
}
{
    sub(/:.*/, "", $1)
    ids[NR] = "SPDXRef-deb-" id($1)
    printf ",\n{\"SPDXID\":\"%s\",\"name\":\"%s\",\"versionInfo\":\"%s\"," \
           "\"downloadLocation\":\"NOASSERTION\",\"filesAnalyzed\":false," \
           "\"externalRefs\":[{\"referenceCategory\":\"PACKAGE-MANAGER\",\"referenceType\":\"purl\"," \
           "\"referenceLocator\":\"pkg:deb/debian/%s@%s?arch=%s&distro=%s\"}]}", \
           ids[NR], $1, $2, url($1), url($2), $3, distro
}
END {
    print "],\n\"relationships\":["
    printf "{\"spdxElementId\":\"SPDXRef-DOCUMENT\",\"relationshipType\":\"DESCRIBES\"," \
           "\"relatedSpdxElement\":\"SPDXRef-voiceprintd\"}"
    for (i = 1; i <= NR; i++)
        printf ",\n{\"spdxElementId\":\"SPDXRef-voiceprintd\",\"relationshipType\":" \
               "\"DEPENDS_ON\",\"relatedSpdxElement\":\"%s\"}", ids[i]
    print "]}"
}'
