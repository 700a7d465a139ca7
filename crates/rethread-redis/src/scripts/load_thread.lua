#!lua flags=no-writes
-- Reads what an owner needs to go on with a thread.
-- Guarantees: one state of the thread, not a mix of two.
-- KEYS   1 thread (LIST, see commit.lua), 2 checkpoint records (HASH), 3 waiting commands (LIST)
-- ARGV   none
-- Return {thread without packed checkpoints, base checkpoint, waiting commands}; nil where there
--        is none
local thread = redis.call('LRANGE', KEYS[1], 0, -1)
local base = false
if #thread > 0 then
  local id = thread[3]
  local packed = thread[4]
  thread[4] = ''
  if packed == '+' then
    packed = ''
    if id ~= '' then
      base = redis.call('HGET', KEYS[2], id)
    end
  end
  local at = 1
  while id ~= '' and at <= #packed do
    local size = struct.unpack('>I2', packed, at + 16)
    if string.sub(packed, at, at + 15) == id then
      base = string.sub(packed, at + 18, at + 17 + size)
    end
    at = at + 18 + size
  end
end
return {thread, base, redis.call('LRANGE', KEYS[3], 0, -1)}
