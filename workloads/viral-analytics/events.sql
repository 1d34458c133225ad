-- SPDX-License-Identifier: Apache-2.0
-- Fills a product's table of events: so many views, carts and purchases of visitors, in order of time.
-- :events rows; what they hold follows from :seed. (Knuth's multiplicative hash; random() can't be seeded.)
WITH RECURSIVE numbers(i, hash) AS (
	SELECT 0, :seed
	UNION ALL
	SELECT i + 1, (hash * 1103515245 + 12345) & 0x7fffffff FROM numbers WHERE i + 1 < :events
)
INSERT INTO events
SELECT
	i * 40 + (hash >> 8) % 40,
	(hash >> 8) % (:events / 8 + 1),
	(hash >> 20) % 16,
	100 + (hash >> 12) % 900
FROM numbers;
