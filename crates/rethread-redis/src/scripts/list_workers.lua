#!lua flags=no-writes
-- Lists workers that were heard within the last hour.
-- Guarantees: judged by the clock of the server alone.
-- KEYS   1 heartbeats (ZSET: worker by ms), 2 descriptions (HASH: by worker, `ms:text`)
-- ARGV   none
-- Return for each worker {worker, ms since its last heartbeat, description or ''}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = string.format('%.0f', now - 3600000)
local heard = redis.call('ZRANGE', KEYS[1], from, '+inf', 'BYSCORE', 'WITHSCORES')
local workers = {}
for i = 1, #heard, 2 do
  local known = redis.call('HGET', KEYS[2], heard[i]) or ':'
  local silent = math.max(0, now - heard[i + 1])
  workers[#workers + 1] = {heard[i], silent, (string.gsub(known, '^%d*:', '', 1))}
end
return workers
