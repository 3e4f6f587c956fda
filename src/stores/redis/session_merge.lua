-- KEYS[1]: what a session has written, a hash. ARGV[1]: seconds to live; then field, value pairs.
-- Every field keeps the greater value. A position is a number beyond 2^53, which a Lua number does not hold: texts without leading zeros are compared,
-- the longer one being greater.
for i = 2, #ARGV, 2 do
  local held, new = redis.call('HGET', KEYS[1], ARGV[i]), ARGV[i + 1]
  if not held or #held < #new or (#held == #new and held < new) then redis.call('HSET', KEYS[1], ARGV[i], new) end
end
return redis.call('EXPIRE', KEYS[1], ARGV[1])
