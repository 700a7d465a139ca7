#!lua flags=allow-oom
-- Lists the workers that live, and forgets those that have been silent for a day.
-- Guarantees: judged by the clock of the server alone.
-- KEYS   1 heartbeats (ZSET: worker by ms)
-- ARGV   1 age of a heartbeat in ms from which on its worker is dead
-- Return workers
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - 86400000))
return redis.call('ZRANGE', KEYS[1], string.format('(%.0f', now - ARGV[1]), '+inf', 'BYSCORE')
