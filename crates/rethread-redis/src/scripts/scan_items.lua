#!lua flags=no-writes
-- Reads records of the store in the order of their names.
-- Guarantees: one state of the store; nothing that has expired.
-- KEYS   1 names (ZSET, sorted as bytes), 2 records (HASH by name), 3 times of expiry (ZSET)
-- ARGV   1 first name, 2 last name, as bounds of ZRANGE BYLEX, 3 how many at most (up to 1,000),
--        4 size in bytes after which to stop
-- Return {the name to go on behind, or nil if this was the end, how many have expired,
--        then for each name, record, time of expiry in ms or nil}
local names = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'BYLEX', 'LIMIT', 0, ARGV[3])
if #names == 0 then
  return {false, 0}
end
local expiries = redis.call('ZMSCORE', KEYS[3], unpack(names))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local room = tonumber(ARGV[4])
local answer = {#names == tonumber(ARGV[3]) and names[#names], 0}
for i = 1, #names do
  local expiry = expiries[i]
  if expiry and tonumber(expiry) <= now then
    answer[2] = answer[2] + 1
  else
    local record = redis.call('HGET', KEYS[2], names[i])
    local last = #answer
    answer[last + 1] = names[i]
    answer[last + 2] = record
    answer[last + 3] = expiry
    room = room - #names[i] - (record and #record or 0)
    if room <= 0 then
      answer[1] = names[i]
      break
    end
  end
end
return answer
