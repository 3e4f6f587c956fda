-- KEYS[1]: a timeline. ARGV[1]: the token of the rebuild, ARGV[2]: the header without its "h:", ARGV[3]: milliseconds to live, ARGV[4..]: ids, oldest first.
-- Replaces the marker "b:<token>" that the rebuild left; ids pushed meanwhile stand behind it and stay.
-- Somebody else's marker, or none: this rebuild is outdated and nothing is stored.
if redis.call('LINDEX', KEYS[1], 0) ~= 'b:' .. ARGV[1] then return 0 end
local pushed = redis.call('LRANGE', KEYS[1], 1, -1)
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], 'h:' .. ARGV[2])
for from = 4, #ARGV, 500 do
  redis.call('RPUSH', KEYS[1], unpack(ARGV, from, math.min(from + 499, #ARGV)))
end
for from = 1, #pushed, 500 do
  redis.call('RPUSH', KEYS[1], unpack(pushed, from, math.min(from + 499, #pushed)))
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
