-- For wrk: POST /embed with the clip in the file CLIP, and one line of JSON at the end.
local file = assert(io.open(os.getenv("CLIP"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "audio/wav"
file:close()

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format('{"requests": %d, "seconds": %.6f, "errors": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
      summary.requests, summary.duration * 1e-6,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50) * 1e-3, latency:percentile(99) * 1e-3))
end
