-- SPDX-License-Identifier: Apache-2.0
-- The load for wrk: a fixed number of requests, paths and pauses from a plan, and the figures as one line of JSON.
-- Arguments: the plan's file, and the number of connections. One thread only: it counts for itself.
local ffi = require("ffi")
ffi.cdef [[
	int getpid(void);
	int kill(int process, int signal);
]]

local SIGINT = 2
-- A connection that has nothing left to send pauses; the end of the run comes first.
local FOREVER_MS = 3600000

-- The plan has a line for each request: the pause before it in ms, and its path.
function init(args)
	requests, pauses = {}, {}
	for line in io.lines(args[1]) do
		local pause, path = line:match("^(%d+) (%S+)$")
		pauses[#pauses + 1] = tonumber(pause)
		requests[#requests + 1] = wrk.format("GET", path)
	end
	asked, last = 0, #pauses + tonumber(args[2])
	-- wrk calls request() once to look at what it returns, and does not send that.
	sent = -1
end

-- Called before each request, so by a connection that has just been made or had an answer. (To count answers in
-- response() would have wrk hand over each answer's text to Lua, which costs more than all the rest.)
-- The duration that wrk was given is a limit only: when all connections have had their last answer, this interrupts it,
-- as Ctrl-C does. Who waits for the line ends the batch; what follows takes time, too.
function delay()
	asked = asked + 1
	if asked == last then
		io.write("answered\n")
		io.flush()
		wrk.thread:stop()
		ffi.C.kill(ffi.C.getpid(), SIGINT)
	end
	return pauses[asked] or FOREVER_MS
end

function request()
	sent = sent + 1
	return requests[math.max(sent, 1)]
end

-- All latencies that wrk counted, as pairs of time and number: run.py makes the percentiles of them.
function done(summary, latency)
	local errors = summary.errors
	local counts = {}
	for place = 1, #latency do
		local time_us, count = latency(place)
		counts[place] = string.format("[%d,%d]", time_us, count)
	end
	io.write(string.format('\n{"requests": %d, "errors": %d, "duration_us": %d, "latencies_us": [%s]}\n', summary.requests,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout,
		summary.duration, table.concat(counts, ",")))
end
