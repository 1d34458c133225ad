-- SPDX-License-Identifier: Apache-2.0
-- The report on a product's day: visits (a visitor's events with no gap above half an hour) by hour of the day, and what was
-- seen, put into the cart (action 13 and 14) and bought (action 15) in them; then the visitors that spent the most.
PRAGMA temp_store = memory;
PRAGMA cache_size = -65536;

CREATE TEMP TABLE visits AS
WITH gaps AS (
	SELECT *, at - lag(at, 1, -10000) OVER (PARTITION BY visitor ORDER BY at) > 1800 AS is_first FROM events
), numbered AS (
	SELECT *, sum(is_first) OVER (PARTITION BY visitor ORDER BY at) AS visit FROM gaps
)
SELECT
	visitor,
	min(at) AS begin,
	count(*) AS events,
	sum(action IN (13, 14)) AS carts,
	sum(action = 15) AS purchases,
	sum(CASE WHEN action = 15 THEN cents ELSE 0 END) AS spent
FROM numbered GROUP BY visitor, visit;

SELECT 'hour', begin / 3600 % 24 AS hour, count(*), count(DISTINCT visitor), sum(events), sum(carts), sum(purchases), sum(spent)
FROM visits GROUP BY hour ORDER BY hour;

SELECT 'visitor', visitor, count(*), sum(purchases), sum(spent) AS total
FROM visits GROUP BY visitor ORDER BY total DESC, visitor LIMIT 10;

SELECT 'total', sum(events) FROM visits;
