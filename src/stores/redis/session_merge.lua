-- KEYS[1]: what a session has written, a hash. ARGV[1]: seconds to live; then field, value pairs.
-- Every field keeps the greater value. A log position is far below 2^53, so a Lua number holds it.
for i = 2, #ARGV, 2 do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  if not held or tonumber(held) < tonumber(ARGV[i + 1]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
return redis.call('EXPIRE', KEYS[1], ARGV[1])
