-- Tells those of many people who are being watched over a socket that a post is new on their home. KEYS: their streams, which are also
-- the names of their channels. ARGV: the post, how many entries a stream keeps. A stream is there as long as somebody watches, or did lately.
local told = 0
for _, key in ipairs(KEYS) do
    if redis.call('XADD', key, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[2], '*', 'p', ARGV[1]) then
        redis.call('PUBLISH', key, 'h')
        told = told + 1
    end
end
return told
