# SPDX-License-Identifier: Apache-2.0
# Reads an access log (common log format). Prints, for each address with more than `limit` requests in one minute:
# the address, its requests, errors, bytes, minutes seen, most requests in one minute, and its most frequent path.
# The last line is the total.

{
	split($4, when, ":")
	minute = when[2] ":" when[3]
	path = $7
	sub(/\?.*/, "", path)
	requests[$1]++
	bytes[$1] += $10
	if ($9 ~ /^[45]/)
		errors[$1]++
	here = $1 " " minute
	if (++in_minute[here] == 1)
		minutes[$1]++
	if (in_minute[here] > most[$1])
		most[$1] = in_minute[here]
	there = $1 " " path
	if (++on_path[there] > best[$1]) {
		best[$1] = on_path[there]
		favourite[$1] = path
	}
}

END {
	for (address in requests) {
		if (most[address] > limit)
			print address, requests[address], errors[address] + 0, bytes[address], minutes[address], most[address],
			      favourite[address]
		all += requests[address]
	}
	print "total", all
}
