-- SPDX-License-Identifier: Apache-2.0
-- Fills a product's table with a day's events, in order of time: eight visitors come with every 64 events, and stay for
-- about as many. :events rows; what they hold follows from :seed by a linear congruential generator, of which the upper
-- bits are used (SQLite's random() can't be seeded).
WITH RECURSIVE numbers(i, number) AS (
	SELECT 0, :seed
	UNION ALL
	SELECT i + 1, (number * 1103515245 + 12345) & 0x7fffffff FROM numbers WHERE i + 1 < :events
)
INSERT INTO events
SELECT
	i * 86400 / :events,
	i / 64 * 8 + (number >> 16) % 16,
	(number >> 20) % 16,
	100 + (number >> 12) % 900
FROM numbers;
