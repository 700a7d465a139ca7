#!lua flags=allow-oom
-- Lists dead letters of a partition, and removes those that are kept no longer.
-- Guarantees: in order, and none that is older than the retention time.
-- KEYS   1 dead letters (STREAM)
-- ARGV   1 retention in ms, 2 first id, as a bound of XRANGE, 3 how many at most
-- Return entries
local time = redis.call('TIME')
local oldest = math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1])
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', oldest))
return redis.call('XRANGE', KEYS[1], ARGV[2], '+', 'COUNT', ARGV[3])
