# SPDX-License-Identifier: Apache-2.0
# Aggregates records "<key> <value>" by key: number, sum, mean, least and greatest, variance. The last line is the total.

{
	if (!($1 in count)) {
		least[$1] = $2
		greatest[$1] = $2
	}
	count[$1]++
	sum[$1] += $2
	squares[$1] += $2 * $2
	if ($2 < least[$1])
		least[$1] = $2
	if ($2 > greatest[$1])
		greatest[$1] = $2
}

END {
	for (key in count) {
		mean = sum[key] / count[key]
		print key, count[key], sum[key], mean, least[key], greatest[key], squares[key] / count[key] - mean * mean
	}
	print "total", NR
}
