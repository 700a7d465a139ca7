#!lua
-- Applies one commit of the owner of a partition.
-- Guarantees: whole or not at all, and only under the current token. Redis does not roll a
-- script back, so everything that can be refused is checked before the first write; but for the
-- numbers of events, which the appending itself tells, so that those are taken back. The commit
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
--        'X' thread                      KEYS thread (LIST), records (HASH), ids (ZSET),
--                                             waiting (LIST)            removes the thread
--        'V' count, ids...               KEYS thread, records, ids      removes checkpoints
--        'H' count, slot, value...       KEYS thread                    sets slots, the header
--                                             first; the last event alone only of a thread that
--                                             is there
--        'A' count, entries...           KEYS thread                    appends to the journal
--        'R' count, entries...           KEYS thread                    replaces the journal
--        'C' id, record                  KEYS thread, records, ids      writes a checkpoint
--        'D' score, thread                                              thread is due
--        'P' thread                                                     thread is parked
--        'T' count, commands...          KEYS waiting (LIST)            appends commands
--        'U' count                       KEYS waiting (LIST)            drops the first
--        'Y' place                       KEYS waiting (LIST)            drops one, counted from 0
--        'L' retention in ms, most to keep, count, letters...
--                                        KEYS dead letters (STREAM)     appends dead letters
--        'W' number of queues, count, groups..., then for each queue: what find_orders.lua
--            found: the bound of what it did not see, count, ids...
--                                        KEYS queues (STREAM)           withdraws orders
--        'Q' queue, or '' if its name is known to be among the names of queues, count, then for
--            each: group, order
--                                        KEYS queue (STREAM)            appends orders
-- A thread is a list. Its first places are slots: 0 header, 1 last event (run, then its number, and
-- `+` while the run goes on: then its log tells the number),
-- 2 id of the base checkpoint, 3 checkpoints as long as all of them together are small, packed: id,
-- size in two bytes, record; or '+' when all are in records and ids. What is not there is ''. Of a
-- thread without a header, which is not there for anybody, slot 2 begins with '-'. Behind the slots
-- stands the journal.
-- Return 1 applied, 0 it was applied before, or {'FENCED', last commit, last commit when the present
--        holder took over, or '', token of the holder, or '' if there is none},
--        {'ROLLEDBACK', number found}, {'EVENTS', log, number of the last event found}
local lease = redis.call('HMGET', KEYS[1], 't', 'n', 's')
if lease[1] ~= ARGV[1] then
  return {'FENCED', lease[2] or '0', lease[3] or '', lease[1] or ''}
end
if lease[2] == ARGV[2] and lease[2] ~= lease[3] then
  return 0
end
if lease[2] ~= ARGV[3] then
  return {'ROLLEDBACK', lease[2] or '0'}
end

-- A call takes at most about 7,900 values from `unpack`. Gives the length of the list.
local function push(list, from, count)
  local stop = from + count - 1
  local length = 0
  while from <= stop do
    local to = math.min(from + 999, stop)
    length = redis.call('RPUSH', list, unpack(ARGV, from, to))
    from = to + 1
  end
  return length
end

local beyond = tonumber(ARGV[7])
local argument = 8 + beyond
local key = 5
local appended = {}
for write = 1, tonumber(ARGV[6]) do
  local log = KEYS[key]
  local before = ARGV[argument] - 1
  local count = tonumber(ARGV[argument + 2])
  if count > 0 then
    local found = push(log, argument + 3, count) - count
    if found == 0 and before > 0 then
      redis.call('SET', KEYS[key + 1], string.format('%.0f', before))
    elseif found ~= before then
      found = found + (redis.call('GET', KEYS[key + 1]) or 0)
      if found ~= before then
        redis.call('LTRIM', log, 0, -1 - count)
        for earlier = write - 1, 1, -1 do
          redis.call('LTRIM', KEYS[3 + 2 * earlier], 0, -1 - appended[earlier])
        end
        return {'EVENTS', log, string.format('%.0f', found)}
      end
    end
  end
  appended[write] = count
  argument = argument + 3 + count
  key = key + 2
end

local function record(thread, from, count)
  local stop = from + count - 1
  while from <= stop do
    local to = math.min(from + 999, stop)
    if redis.call('RPUSHX', thread, unpack(ARGV, from, to)) > 0 then
      from = to + 1
    else
      redis.call('RPUSH', thread, '', '', '-', '')
    end
  end
end

-- What is left of packed checkpoints without those that are gone, as a list of id and record.
local function remaining(packed, gone)
  local left = {}
  local at = 1
  while at <= #packed do
    local id = string.sub(packed, at, at + 15)
    local behind = at + 18 + struct.unpack('>I2', packed, at + 16)
    if not gone[id] then
      left[#left + 1] = id
      left[#left + 1] = string.sub(packed, at + 18, behind - 1)
    end
    at = behind
  end
  return left
end

local function pack(checkpoints)
  local parts = {}
  for i = 1, #checkpoints, 2 do
    parts[#parts + 1] = checkpoints[i] .. struct.pack('>I2', #checkpoints[i + 1])
    parts[#parts + 1] = checkpoints[i + 1]
  end
  return table.concat(parts)
end

local function save(thread, records, ids, id, value)
  local packed = redis.call('LINDEX', thread, 3)
  if not packed then
    redis.call('RPUSH', thread, '', '', '-', '')
    packed = ''
  end
  local unpacked = {id, value}
  if packed ~= '+' then
    local all = remaining(packed, {[id] = true})
    all[#all + 1] = id
    all[#all + 1] = value
    local text = #value <= 2048 and pack(all)
    if text and #text <= 2048 then
      redis.call('LSET', thread, 3, text)
      return
    end
    redis.call('LSET', thread, 3, '+')
    unpacked = all
  end
  for i = 1, #unpacked, 2 do
    redis.call('HSET', records, unpacked[i], unpacked[i + 1])
    redis.call('ZADD', ids, 0, unpacked[i])
  end
end

-- An order that a worker has is taken from it as well.
local function withdraw(queue, ids)
  for from = 1, #ids, 1000 do
    local to = math.min(from + 999, #ids)
    redis.call('XACK', queue, 'w', unpack(ids, from, to))
    redis.call('XDEL', queue, unpack(ids, from, to))
  end
end

argument = 8 + beyond
key = 5
for _ = 1, tonumber(ARGV[6]) do
  local log = KEYS[key]
  redis.call('PUBLISH', log, '')
  if ARGV[argument + 1] == '1' then
    redis.call('PEXPIRE', log, ARGV[5])
    redis.call('PEXPIRE', KEYS[key + 1], ARGV[5])
    redis.call('PUBLISH', log .. ':end', '')
  end
  argument = argument + 3 + ARGV[argument + 2]
  key = key + 2
end

local stop = #ARGV
while argument <= stop do
  local operation = ARGV[argument]
  if operation == 'X' then
    redis.call('UNLINK', unpack(KEYS, key, key + 3))
    redis.call('ZREM', KEYS[3], ARGV[argument + 1])
    key = key + 4
    argument = argument + 2
  elseif operation == 'V' then
    local first = argument + 2
    local final = argument + 1 + ARGV[argument + 1]
    local gone = {}
    for id = first, final do
      gone[ARGV[id]] = true
    end
    local base, packed = unpack(redis.call('LRANGE', KEYS[key], 2, 3))
    local mark = base and string.sub(base, 1, #base % 16)
    if base and gone[string.sub(base, 1 + #mark)] then
      redis.call('LSET', KEYS[key], 2, mark)
    end
    if packed ~= '+' then
      if packed and packed ~= '' then
        redis.call('LSET', KEYS[key], 3, pack(remaining(packed, gone)))
      end
    else
      for from = first, final, 1000 do
        local to = math.min(from + 999, final)
        redis.call('HDEL', KEYS[key + 1], unpack(ARGV, from, to))
        redis.call('ZREM', KEYS[key + 2], unpack(ARGV, from, to))
      end
    end
    key = key + 3
    argument = final + 1
  elseif operation == 'H' then
    local count = tonumber(ARGV[argument + 1])
    local slot = ARGV[argument + 2]
    local final = argument + 1 + count
    if slot == '1' then
      -- Of a thread that is not there, nothing may be left to hold its last event.
      redis.pcall('LSET', KEYS[key], 1, ARGV[final])
    else
      local base = redis.call('LINDEX', KEYS[key], 2)
      local set = {['0'] = '', ['1'] = '', ['2'] = ''}
      for field = argument + 2, final, 2 do
        set[ARGV[field]] = ARGV[field + 1]
      end
      local is_there = base and #base % 16 == 0
      if slot ~= '0' and not is_there then
        set['1'] = ''
        set['2'] = '-' .. set['2']
      end
      if not base then
        redis.call('RPUSH', KEYS[key], set['0'], set['1'], set['2'], '')
      else
        if not is_there then
          redis.call('LSET', KEYS[key], 1, '')
          redis.call('LSET', KEYS[key], 2, string.sub(base, 2))
        end
        for field = argument + 2, final, 2 do
          redis.call('LSET', KEYS[key], ARGV[field], set[ARGV[field]])
        end
      end
    end
    key = key + 1
    argument = final + 1
  elseif operation == 'A' then
    local count = tonumber(ARGV[argument + 1])
    record(KEYS[key], argument + 2, count)
    key = key + 1
    argument = argument + 2 + count
  elseif operation == 'R' then
    local count = tonumber(ARGV[argument + 1])
    redis.call('LTRIM', KEYS[key], 0, 3)
    record(KEYS[key], argument + 2, count)
    key = key + 1
    argument = argument + 2 + count
  elseif operation == 'C' then
    save(KEYS[key], KEYS[key + 1], KEYS[key + 2], ARGV[argument + 1], ARGV[argument + 2])
    key = key + 3
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
  elseif operation == 'Y' then
    if tonumber(ARGV[argument + 1]) < redis.call('LLEN', KEYS[key]) then
      -- A list gives up by value only; nobody else knows the token.
      redis.call('LSET', KEYS[key], ARGV[argument + 1], ARGV[1])
      redis.call('LREM', KEYS[key], 1, ARGV[1])
    end
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
    argument = argument + 3 + count
    for queue = key, key + queues - 1 do
      local final = argument + 1 + ARGV[argument + 1]
      local ids = {}
      for id = argument + 2, final do
        ids[#ids + 1] = ARGV[id]
      end
      -- What was put back since then stands behind what was seen.
      local entries = redis.call('XRANGE', KEYS[queue], ARGV[argument], '+')
      for i = 1, #entries do
        if groups[entries[i][2][4]] then
          ids[#ids + 1] = entries[i][1]
        end
      end
      withdraw(KEYS[queue], ids)
      argument = final + 1
    end
    key = key + queues
  else
    local count = tonumber(ARGV[argument + 2])
    if ARGV[argument + 1] ~= '' then
      redis.call('SADD', KEYS[4], ARGV[argument + 1])
    end
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
