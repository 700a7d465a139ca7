#!lua flags=allow-oom
-- Says what is going on in a partition, and removes dead letters that are kept no longer.
-- Guarantees: one state of the partition, not a mix of two.
-- KEYS   1 lease, 2 inbox, 3 active threads, 4 dead letters, then queues
-- ARGV   1 retention of dead letters in ms
-- Return {holder, token, ms until the lease expires, number of the last commit,
--        messages in the inbox, active threads, dead letters,
--        then for each queue {orders, assigned, age of the oldest in ms}}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'o', 't', 'x', 'n')
local holder = ''
local left = 0
if lease[2] then
  left = lease[3] - now
  if left > 0 then
    holder = lease[1]
  end
end
local oldest = math.max(0, now - ARGV[1])
redis.call('XTRIM', KEYS[4], 'MINID', string.format('%.0f', oldest))
local status = {holder, lease[2] or '', math.max(0, left), lease[4] or '0',
  redis.call('XLEN', KEYS[2]), redis.call('ZCARD', KEYS[3]), redis.call('XLEN', KEYS[4])}
for queue = 5, #KEYS do
  local assigned = 0
  local pending = redis.pcall('XPENDING', KEYS[queue], 'w')
  if not pending.err then
    assigned = pending[1]
  end
  local age = 0
  local first = redis.call('XRANGE', KEYS[queue], '-', '+', 'COUNT', 1)[1]
  if first then
    age = math.max(0, now - string.match(first[1], '^%d+'))
  end
  status[#status + 1] = {redis.call('XLEN', KEYS[queue]), assigned, age}
end
return status
