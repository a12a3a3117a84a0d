#!/usr/bin/env node
// A client of voiceprintd in JavaScript (Node 18 or newer, nothing to install). Import the
// functions, or use it from a shell:
//
//   node examples/voiceprint.mjs compare a.wav b.wav
//   node examples/voiceprint.mjs embed a.wav > a.json      enrol once, store the numbers as a secret
//   node examples/voiceprint.mjs compare a.json b.wav      later: is this the enrolled voice?

import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const url = process.env.VOICEPRINTD_URL ?? 'http://127.0.0.1:8080';
const key = process.env.VOICEPRINTD_KEY ?? '';
const ATTEMPTS = 5;

/** An error of the service: application/problem+json, RFC 9457. */
export class Problem extends Error {
  constructor(status, members) {
    super(`${members.title ?? status}: ${members.detail ?? ''}`);
    this.status = status;
    this.members = members;
  }
}

/** One recording (a Blob) -> its answer; .embedding is the array of numbers, of length 1. */
export function embed(clip) {
  return post('/embed', clip, { 'Content-Type': 'application/octet-stream' });
}

/**
 * Two sides -> score, same_speaker and the rest. A side is an array of recordings (Blobs), or of
 * one Blob of type application/json that holds an answer of embed.
 */
export function compare(a, b) {
  const form = new FormData();
  for (const clip of a) form.append('a', clip, 'clip');
  for (const clip of b) form.append('b', clip, 'clip');
  return post('/compare', form, {});
}

async function post(path, body, headers) {
  if (key) headers.Authorization = `Bearer ${key}`;
  for (let attempt = 1; ; attempt++) {
    const answer = await fetch(url + path, { method: 'POST', body, headers });
    if (answer.ok) return answer.json();
    if (answer.status !== 503 || attempt === ATTEMPTS) {
      throw new Problem(answer.status, await answer.json());
    }
    // Full or starting: come back when the service says so.
    const seconds = Number(answer.headers.get('Retry-After') ?? 1);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

async function main([command, first, second]) {
  const clip = async (path) =>
    new Blob([await readFile(path)], {
      type: path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
    });
  if (command === 'embed' && first) return embed(await clip(first));
  if (command === 'compare' && second) return compare([await clip(first)], [await clip(second)]);
  throw new Error('usage: voiceprint.mjs embed FILE | compare FILE FILE');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    console.log(JSON.stringify(await main(process.argv.slice(2)), null, 1));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
