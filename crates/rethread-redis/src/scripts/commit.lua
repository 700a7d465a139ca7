#!lua
-- Applies one commit of the owner of a partition.
-- Guarantees: whole or not at all, and only under the current token. Redis does not roll a
-- script back, so everything that can be refused is checked before the first write. The commit
-- that was applied last, sent again under the same token, changes nothing.
-- KEYS   1 lease, 2 inbox, 3 active threads (ZSET), 4 queue names (SET),
--        then two for each event write: log (LIST), offset (STRING),
--        then those of the operations, in their order
-- ARGV   1 token, 2 number of the commit, 3 the number before it,
--        4 the oldest inbox id that stays, or '', 5 retention of ended logs in ms,
--        6 number of event writes,
--        7 number of single messages that are consumed, their ids...,
--        then for each event write: number of the first event, 1 if the run ends, count, events...
--        then operations:
--        'X' thread                      KEYS thread (HASH), journal (LIST), records (HASH),
--                                             ids (ZSET), waiting (LIST) removes the thread
--        'V' count, ids...               KEYS thread, records, ids      removes checkpoints
--        'H' count, field, value...      KEYS thread (HASH)             sets fields; the last
--                                             event alone only of a thread that is there
--        'A' count, entries...           KEYS journal (LIST)            appends
--        'R' count, entries...           KEYS journal                   replaces
--        'C' id, record                  KEYS records (HASH), ids (ZSET) writes a checkpoint
--        'D' score, thread                                              thread is due
--        'P' thread                                                     thread is parked
--        'T' count, commands...          KEYS waiting (LIST)            appends commands
--        'U' count                       KEYS waiting (LIST)            drops the first
--        'L' retention in ms, most to keep, count, letters...
--                                        KEYS dead letters (STREAM)     appends dead letters
--        'W' number of queues, count, groups...
--                                        KEYS queues (STREAM)           withdraws orders
--        'Q' queue, count, then for each: group, order
--                                        KEYS queue (STREAM)            appends orders
-- Return 1 applied, 0 it was applied before, or {'FENCED', number found}, {'ROLLEDBACK', number
--        found}, {'EVENTS', log, number of the last event found}
local lease = redis.call('HMGET', KEYS[1], 't', 'n', 's')
if lease[1] ~= ARGV[1] then
  return {'FENCED', lease[2] or '0'}
end
if lease[2] == ARGV[2] and lease[2] ~= lease[3] then
  return 0
end
if lease[2] ~= ARGV[3] then
  return {'ROLLEDBACK', lease[2] or '0'}
end

local beyond = tonumber(ARGV[7])
local argument = 8 + beyond
local key = 5
local last = {}
local fresh = {}
for _ = 1, tonumber(ARGV[6]) do
  local log = KEYS[key]
  local before = ARGV[argument] - 1
  local count = tonumber(ARGV[argument + 2])
  if count > 0 then
    local found = last[log]
    if not found then
      found = redis.call('LLEN', log)
      if found == 0 and before > 0 then
        fresh[log] = before
        found = before
      elseif found ~= before then
        found = found + (redis.call('GET', KEYS[key + 1]) or 0)
      end
    end
    if found ~= before then
      return {'EVENTS', log, string.format('%.0f', found)}
    end
    last[log] = before + count
  end
  argument = argument + 3 + count
  key = key + 2
end

-- A call takes at most about 7,900 values from `unpack`.
local function push(list, from, count)
  local stop = from + count - 1
  while from <= stop do
    local to = math.min(from + 999, stop)
    redis.call('RPUSH', list, unpack(ARGV, from, to))
    from = to + 1
  end
end

-- An order that a worker has is taken from it as well.
local function withdraw(queue, groups)
  local from = '-'
  repeat
    local entries = redis.call('XRANGE', queue, from, '+', 'COUNT', 1000)
    local ids = {}
    for i = 1, #entries do
      if groups[entries[i][2][4]] then
        ids[#ids + 1] = entries[i][1]
      end
    end
    if #ids > 0 then
      redis.call('XACK', queue, 'w', unpack(ids))
      redis.call('XDEL', queue, unpack(ids))
    end
    if #entries > 0 then
      from = '(' .. entries[#entries][1]
    end
  until #entries < 1000
end

argument = 8 + beyond
key = 5
for _ = 1, tonumber(ARGV[6]) do
  local log = KEYS[key]
  local offset = KEYS[key + 1]
  local count = tonumber(ARGV[argument + 2])
  if fresh[log] then
    redis.call('SET', offset, string.format('%.0f', fresh[log]))
    fresh[log] = nil
  end
  push(log, argument + 3, count)
  if ARGV[argument + 1] == '1' then
    redis.call('PEXPIRE', log, ARGV[5])
    redis.call('PEXPIRE', offset, ARGV[5])
  end
  redis.call('PUBLISH', log, '')
  argument = argument + 3 + count
  key = key + 2
end

local stop = #ARGV
while argument <= stop do
  local operation = ARGV[argument]
  if operation == 'X' then
    redis.call('UNLINK', unpack(KEYS, key, key + 4))
    redis.call('ZREM', KEYS[3], ARGV[argument + 1])
    key = key + 5
    argument = argument + 2
  elseif operation == 'V' then
    local first = argument + 2
    local final = argument + 1 + ARGV[argument + 1]
    local base = redis.call('HGET', KEYS[key], 'b')
    for from = first, final, 1000 do
      local to = math.min(from + 999, final)
      redis.call('HDEL', KEYS[key + 1], unpack(ARGV, from, to))
      redis.call('ZREM', KEYS[key + 2], unpack(ARGV, from, to))
    end
    if base and not redis.call('ZSCORE', KEYS[key + 2], base) then
      redis.call('HDEL', KEYS[key], 'b')
    end
    key = key + 3
    argument = final + 1
  elseif operation == 'H' then
    local count = tonumber(ARGV[argument + 1])
    -- Of a thread that is not there, nothing may be left to hold it.
    if ARGV[argument + 2] ~= 'l' or redis.call('HEXISTS', KEYS[key], 'h') == 1 then
      redis.call('HSET', KEYS[key], unpack(ARGV, argument + 2, argument + 1 + count))
    end
    key = key + 1
    argument = argument + 2 + count
  elseif operation == 'A' or operation == 'R' then
    local count = tonumber(ARGV[argument + 1])
    if operation == 'R' then
      redis.call('UNLINK', KEYS[key])
    end
    push(KEYS[key], argument + 2, count)
    key = key + 1
    argument = argument + 2 + count
  elseif operation == 'C' then
    redis.call('HSET', KEYS[key], ARGV[argument + 1], ARGV[argument + 2])
    redis.call('ZADD', KEYS[key + 1], 0, ARGV[argument + 1])
    key = key + 2
    argument = argument + 3
  elseif operation == 'D' then
    redis.call('ZADD', KEYS[3], ARGV[argument + 1], ARGV[argument + 2])
    argument = argument + 3
  elseif operation == 'P' then
    redis.call('ZREM', KEYS[3], ARGV[argument + 1])
    argument = argument + 2
  elseif operation == 'T' then
    local count = tonumber(ARGV[argument + 1])
    push(KEYS[key], argument + 2, count)
    key = key + 1
    argument = argument + 2 + count
  elseif operation == 'U' then
    redis.call('LTRIM', KEYS[key], ARGV[argument + 1], -1)
    key = key + 1
    argument = argument + 2
  elseif operation == 'L' then
    local count = tonumber(ARGV[argument + 3])
    for letter = argument + 4, argument + 3 + count do
      redis.call('XADD', KEYS[key], 'MAXLEN', ARGV[argument + 2], '*', 'r', ARGV[letter])
    end
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local oldest = math.max(0, now - ARGV[argument + 1])
    redis.call('XTRIM', KEYS[key], 'MINID', string.format('%.0f', oldest))
    redis.call('PEXPIRE', KEYS[key], ARGV[argument + 1])
    key = key + 1
    argument = argument + 4 + count
  elseif operation == 'W' then
    local queues = tonumber(ARGV[argument + 1])
    local count = tonumber(ARGV[argument + 2])
    local groups = {}
    for group = argument + 3, argument + 2 + count do
      groups[ARGV[group]] = true
    end
    for queue = key, key + queues - 1 do
      withdraw(KEYS[queue], groups)
    end
    key = key + queues
    argument = argument + 3 + count
  else
    local count = tonumber(ARGV[argument + 2])
    redis.call('SADD', KEYS[4], ARGV[argument + 1])
    for order = argument + 3, argument + 1 + 2 * count, 2 do
      redis.call('XADD', KEYS[key], '*', 'o', ARGV[order + 1], 'e', ARGV[order])
    end
    key = key + 1
    argument = argument + 3 + 2 * count
  end
end

if ARGV[4] ~= '' then
  redis.call('XTRIM', KEYS[2], 'MINID', ARGV[4])
end
for from = 8, 7 + beyond, 1000 do
  redis.call('XDEL', KEYS[2], unpack(ARGV, from, math.min(from + 999, 7 + beyond)))
end
redis.call('HSET', KEYS[1], 'n', ARGV[2])
return 1
