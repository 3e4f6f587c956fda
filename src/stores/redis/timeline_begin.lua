-- Marks a timeline as being rebuilt, unless there is one, or somebody is at it. KEYS[1]: the timeline. ARGV: the marker, seconds it stands, the
-- generation that is trusted: a timeline of another one counts as none.
local head = redis.call('LINDEX', KEYS[1], 0)
if head and string.sub(head, 1, 2) == 'h:' and string.match(head, ',(.*)$') ~= ARGV[3] then
  redis.call('DEL', KEYS[1])
  head = false
end
if head then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
