#!lua
-- Keeps how a worker describes itself.
-- Guarantees: descriptions of workers that have been silent for an hour do not pile up.
-- KEYS   1 heartbeats (ZSET: worker by ms), 2 descriptions (HASH: by worker, `ms:text`)
-- ARGV   1 worker, 2 description
-- Return 1
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local silent = now - 3600000
local known = redis.call('HGETALL', KEYS[2])
for i = 1, #known, 2 do
  local since = tonumber(string.match(known[i + 1], '^%d+') or 0)
  local heard = tonumber(redis.call('ZSCORE', KEYS[1], known[i]) or 0)
  if since < silent and heard < silent then
    redis.call('HDEL', KEYS[2], known[i])
  end
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', now) .. ':' .. ARGV[2])
return 1
