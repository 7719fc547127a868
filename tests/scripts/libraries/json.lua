-- json: what it takes, what it gives, and what it says about the rest.

local check = require "check"
local fails, same = check.fails, check.same

local function decodes(text, value)
  local got = json.decode(text)
  assert(same(got, value), ("%s gave %s"):format(text, tostring(got)))
end

local function encodes(value, text)
  local got = json.encode(value)
  assert(got == text, ("expected %s, got %s"):format(text, got))
end

-- values
decodes("1", 1)
decodes(" -0 ", 0)
decodes("9223372036854775807", math.maxinteger)
decodes("-9223372036854775808", math.mininteger)
decodes("9223372036854775808", 2.0 ^ 63)
decodes("-9223372036854775809", -2.0 ^ 63)
decodes("1.0", 1.0)
decodes("1e2", 100.0)
decodes("-1.5E-3", -0.0015)
decodes("true", true)
decodes("false", false)
decodes("null", json.null)
decodes('""', "")
decodes('"a\\u0000b"', "a\0b")
decodes('"\\ud83d\\ude00 \\u00e9\\n\\/\\\\\\""', "😀 é\n/\\\"")
decodes('"ü€😀"', "ü€😀")
decodes("[]", {})
decodes("[1,[2,[]],{}]", { 1, { 2, {} }, {} })
decodes('{"a":{"b":[null]},"c":1,"c":2}', { a = { b = { json.null } }, c = 2 })
decodes("\r\n\t [ 1 , 2 ] \n", { 1, 2 })

encodes(1, "1")
encodes(1.0, "1.0")
encodes(0.1, "0.1")
encodes(1 / 3, "0.3333333333333333")
encodes(1e300, "1e+300")
encodes(math.mininteger, "-9223372036854775808")
encodes("a\0\"\\\n\x1f/é", '"a\\u0000\\"\\\\\\n\\u001f/é"')
encodes({}, "{}")
encodes(json.array({}), "[]")
encodes(json.decode("[]"), "[]")
encodes(json.decode("{}"), "{}")
encodes({ 1, "x", { true, json.null } }, '[1,"x",[true,null]]')
encodes({ b = 1, a = 2, ab = 3, [""] = 4 }, '{"":4,"a":2,"ab":3,"b":1}')
encodes(json.null, "null")
assert(json.encode({ a = { 1, {} }, b = json.array {} }, { indent = 2 }) ==
  '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}')
assert(tostring(json.null) == "null")
local list = json.array { 1 }
assert(json.array(list) == list)

-- what is refused, and where
local function refuses(text, why) fails("json.decode: " .. why, json.decode, text) end
refuses("", "line 1, column 1: the text ends, and a value was expected")
refuses("[1,\n é]", "line 2, column 2: unexpected 'é' (a value was expected)")
refuses("[1 2]", "line 1, column 4: unexpected '2' (',' or ']' was expected)")
refuses("[1,]", "line 1, column 4: unexpected ']'")
refuses('{"a":1,}', "line 1, column 8: unexpected '}' (a name in quotes")
refuses("{a:1}", "line 1, column 2: unexpected 'a' (a name in quotes, or '}'")
refuses('{"a" 1}', "line 1, column 6: unexpected '1' (':'")
refuses('{"a":1', "line 1, column 7: the text ends")
refuses("1 2", "line 1, column 3: unexpected '2' (the end of the text")
refuses("01", "line 1, column 2: unexpected '1'")
refuses("1.", "line 1, column 3: the text ends, and a digit")
refuses("-", "line 1, column 2: the text ends, and a digit")
refuses("+1", "line 1, column 1: unexpected '+'")
refuses("1e999", "line 1, column 1: the number is too large")
refuses("nul", "line 1, column 1: unexpected 'n'")
refuses("nan", "line 1, column 1: unexpected 'n'")
refuses("[1]\0", "line 1, column 4: unexpected byte 0x00")
refuses("\0", "line 1, column 1: unexpected byte 0x00")
refuses('"abc', "line 1, column 1: the string that begins here does not end")
refuses('"abc\\', "line 1, column 1: the string that begins here does not end")
refuses('"a\nb"', "line 1, column 3: the byte 0x0a in a string (it is written \\u000a)")
refuses('"\xff"', "line 1, column 2: the byte 0xff is not UTF-8")
refuses('"\xc0\x80"', "line 1, column 2: the byte 0xc0 is not UTF-8")
refuses('"\xed\xa0\x80"', "line 1, column 2: the byte 0xed is not UTF-8")
refuses('"\xf4\x90\x80\x80"', "line 1, column 2: the byte 0xf4 is not UTF-8")
refuses('"\xe2\x82', "line 1, column 2: the byte 0xe2 is not UTF-8")
refuses('"\\x"', "line 1, column 2: unknown escape")
refuses('"\\u12g4"', "line 1, column 2: \\u without four")
refuses('"\\u12"', "line 1, column 2: \\u without four")
refuses('"\\ud800"', "line 1, column 2: \\ud800 is half a character")
refuses('"\\ude00\\ud83d"', "line 1, column 2: \\ude00 is half a character")
refuses('"\\ud83d\\u0041"', "line 1, column 2: \\ud83d is half a character")
refuses("\xef\xbb\xbf1", "line 1, column 1: the text begins with a byte order mark")
refuses(("[" ):rep(501), "line 1, column 502: nested more than 500 deep")
refuses(("1"):rep(5000), "line 1, column 1: a number of more than 4096 digits")
json.decode(("["):rep(500) .. ("]"):rep(500))
fails("(string expected, got nil)", json.decode, nil)

local function cannot(value, why) fails("json.encode: " .. why, json.encode, value) end
cannot(nil, "value: nil cannot be written as JSON")
cannot({ list = { 1, 2, print } }, "value.list[3]: a function cannot be written as JSON")
cannot({ ["a b"] = { x = current() } }, 'value["a b"].x: a userdata cannot')
cannot({ x = 0 / 0 }, "value.x: nan cannot")
cannot({ x = 1 / 0 }, "value.x: inf cannot")
cannot({ x = -1 / 0 }, "value.x: -inf cannot")
cannot({ x = "a\xff" }, "value.x: the string is not UTF-8 (byte 2 is 0xff)")
cannot({ ["\xff"] = 1 }, 'value["\\xff"]: the string is not UTF-8')
cannot({ 1, 2, nil, 4 }, "value: has gaps: 1 of 4 entries are nil")
cannot({ 1, x = 2 }, 'value: has list entries and the field "x"')
cannot({ [3] = 1 }, "value: has the key 3, and is no list")
cannot({ [1.5] = 1 }, "value: has the key 1.5, and is no list")
cannot({ [true] = 1 }, "value: has a boolean as a key")
cannot({ 1, [{}] = 2 }, "value: has a table as a key")
cannot(json.array { x = 1 }, 'value: has list entries and the field "x"')
local loop = { a = { b = {} } }
loop.a.b.c = loop.a
cannot(loop, "value.a.b.c: is value.a itself")
local me = {}
me[1] = me
cannot(me, "value[1]: is value itself")
local deep = {}
for _ = 1, 500 do deep = { deep } end
cannot(deep, "value: nested more than 500 deep")
assert(#json.encode(deep[1]) == 1000)
fails("json.encode: indnet: there is no such option (there are: indent)", json.encode, {}, { indnet = 2 })
fails("json.encode: indent: 17 is not within 0 and 16", json.encode, {}, { indent = 17 })
fails("json.encode: indent: a whole number was expected, and not a string", json.encode, {}, { indent = "x" })
fails("(the table has a metatable", json.array, setmetatable({}, {}))

-- shared tables that are no circle
local leaf = { 1 }
encodes({ leaf, leaf }, "[[1],[1]]")

-- much of it
local many = {}
for i = 1, 50000 do many["key" .. i] = { i, tostring(i), i / 3 } end
local text = json.encode(many)
assert(same(json.decode(text), many))
assert(json.encode(json.decode(text)) == text)
local long = ("é\\\n\"x"):rep(100000)
assert(json.decode(json.encode(long)) == long)
