/**
 * What Redis does in one step, in Lua. A script runs alone and is written to the append-only file as a whole, so that each
 * is an atomic change.
 *
 * The first key of every script is the set of ends; the other keys are named from it, since an id tells its record only
 * inside. All of them have one hash tag, so they are on the node of the first. A script that makes keys is given their names
 * too, so that a cluster that is moving the slot refuses it as a whole.
 *
 * In every script the first write is one that Redis refuses when its memory is full: then nothing is written.
 */
const PRELUDE = `
local ends = KEYS[1]
local prefix = string.sub(ends, 1, -5)
local position = 0

local function take()
  position = position + 1
  return ARGV[position]
end

local function takeList()
  local list = {}
  for index = 1, tonumber(take()) do list[index] = take() end
  return list
end

local function keyOf(locator) return prefix .. 'key:' .. locator end
local function idOf(id) return prefix .. 'id:' .. id end
local function tenantOf(tenant) return prefix .. 'tenant:' .. tenant end

-- The locator of a key, if the tenant has it. Whoever has no tenant gets any tenant's.
local function find(id, tenant)
  local locator = redis.call('GET', idOf(id))
  if not locator then return nil end
  local stored = redis.call('HMGET', keyOf(locator), 'id', 'tenantId')
  if stored[1] ~= id or (tenant and stored[2] ~= tenant) then return nil end
  return locator
end

-- When the key ends, by the first of its ends.
local function endOf(locator)
  local first = nil
  for _, text in ipairs(redis.call('HMGET', keyOf(locator), 'revokedAt', 'expiresAt', 'graceEndsAt')) do
    local at = text and tonumber(text)
    if at and at == at and (not first or at < first) then first = at end
  end
  return first
end

local function noteEnd(locator)
  local first = endOf(locator)
  if first then redis.call('ZADD', ends, first, locator) else redis.call('ZREM', ends, locator) end
end

local function takeRecord()
  return { locator = take(), id = take(), tenant = take(), place = take(), fields = takeList() }
end

local function isFree(record)
  return redis.call('EXISTS', keyOf(record.locator)) == 0 and redis.call('EXISTS', idOf(record.id)) == 0
end

local function add(record, write)
  redis.call('HSET', keyOf(record.locator), 'place', record.place, 'write', write, unpack(record.fields))
  redis.call('SET', idOf(record.id), record.locator)
  redis.call('ZADD', tenantOf(record.tenant), 0, record.place)
  noteEnd(record.locator)
end

-- Whether this very write was done before: client libraries send a command again whose answer was lost.
local function isRepeated(locator, write)
  return locator and redis.call('HGET', keyOf(locator), 'write') == write
end

-- Whether a change from this version may be written.
local function isOpen(locator, version)
  if not locator then return false end
  local stored = redis.call('HMGET', keyOf(locator), 'version', 'revokedAt', 'rotatedTo')
  return stored[1] == version and not stored[2] and not stored[3]
end

local function change(locator, write, set, removed)
  redis.call('HSET', keyOf(locator), 'write', write, unpack(set))
  if #removed > 0 then redis.call('HDEL', keyOf(locator), unpack(removed)) end
  noteEnd(locator)
end
`;

/** Takes the write's name and a record. Gives 1 or 0. */
export const INSERT = `${PRELUDE}
local write, record = take(), takeRecord()
if isRepeated(record.locator, write) then return 1 end
if not isFree(record) then return 0 end
add(record, write)
return 1
`;

/** Takes id and tenant. Gives the fields of the record or nothing. */
export const FIND_BY_ID = `${PRELUDE}
local locator = find(take(), take())
if not locator then return nil end
return redis.call('HGETALL', keyOf(locator))
`;

/**
 * Takes the tenant, the range of places, the condition on `revokedAt` and `lastUsedAt`, how many records are wanted and how many may
 * be looked at. Gives the place it came to, or nothing after the last one, and the records.
 */
export const LIST = `${PRELUDE}
local tenant, from, to, includeRevoked, unusedSince = take(), take(), take(), take(), tonumber(take())
local wanted, looks = tonumber(take()), tonumber(take())
local found = {}
local places = redis.call('ZRANGEBYLEX', tenantOf(tenant), from, to, 'LIMIT', 0, looks)
for _, place in ipairs(places) do
  local locator = find(string.sub(place, 19), tenant)
  if locator then
    local stored = redis.call('HMGET', keyOf(locator), 'revokedAt', 'lastUsedAt', 'createdAt')
    local used = tonumber(stored[2] or stored[3] or '')
    -- A time that cannot be read is listed, so that reading the record says so.
    local unused = not unusedSince or not used or used < unusedSince
    if unused and (includeRevoked == '1' or not stored[1]) then
      found[#found + 1] = redis.call('HGETALL', keyOf(locator))
      if #found == wanted then return { place, found } end
    end
  end
end
if #places < looks then return { '', found } end
return { places[#places], found }
`;

/** Takes id, tenant and time. Gives the fields of the record or nothing. */
export const REVOKE = `${PRELUDE}
local locator, at = find(take(), take()), take()
if not locator then return nil end
local key = keyOf(locator)
if redis.call('HEXISTS', key, 'revokedAt') == 0 then
  redis.call('HSET', key, 'revokedAt', at)
  -- A key whose version cannot be counted is revoked nevertheless.
  redis.pcall('HINCRBY', key, 'version', 1)
  noteEnd(locator)
end
return redis.call('HGETALL', key)
`;

/** Takes the write's name, id and tenant, the version before, and what to set and to remove. Gives 1 or 0. */
export const UPDATE = `${PRELUDE}
local write, locator, version, set, removed = take(), find(take(), take()), take(), takeList(), takeList()
if isRepeated(locator, write) then return 1 end
if not isOpen(locator, version) then return 0 end
change(locator, write, set, removed)
return 1
`;

/** Takes what an update takes, and the record of the successor. Gives 1 or 0. */
export const ROTATE = `${PRELUDE}
local write, locator, version, set, removed = take(), find(take(), take()), take(), takeList(), takeList()
local successor = takeRecord()
if isRepeated(locator, write) then return 1 end
if not isOpen(locator, version) or not isFree(successor) then return 0 end
change(locator, write, set, removed)
add(successor, write)
return 1
`;

/** Takes pairs of id and time. */
export const RECORD_USES = `${PRELUDE}
while position < #ARGV do
  local locator, at = find(take()), take()
  if locator then
    local last = tonumber(redis.call('HGET', keyOf(locator), 'lastUsedAt') or '')
    if not last or last < tonumber(at) then redis.call('HSET', keyOf(locator), 'lastUsedAt', at) end
  end
end
`;

/** Takes id, the digest that is replaced, the new one and its version, again and again. */
export const REPLACE_DIGESTS = `${PRELUDE}
while position < #ARGV do
  local locator, from, digest, version = find(take()), take(), take(), take()
  if locator and redis.call('HGET', keyOf(locator), 'digest') == from then
    redis.call('HSET', keyOf(locator), 'digest', digest, 'digestVersion', version)
  end
end
`;

/** Takes the time and the limit. Gives how many entries were looked at, and how many keys removed. */
export const PRUNE = `${PRELUDE}
local before, limit = take(), take()
local removed = 0
local candidates = redis.call('ZRANGEBYSCORE', ends, '-inf', '(' .. before, 'LIMIT', 0, limit)
for _, locator in ipairs(candidates) do
  local first = endOf(locator)
  if first and first < tonumber(before) then
    local stored = redis.call('HMGET', keyOf(locator), 'id', 'tenantId', 'place')
    redis.call('DEL', keyOf(locator))
    if stored[1] and redis.call('GET', idOf(stored[1])) == locator then redis.call('DEL', idOf(stored[1])) end
    if stored[2] and stored[3] then redis.call('ZREM', tenantOf(stored[2]), stored[3]) end
    redis.call('ZREM', ends, locator)
    removed = removed + 1
  else
    -- Somebody changed the record by hand: the set of ends is put right, and the key lives.
    noteEnd(locator)
  end
end
return { #candidates, removed }
`;
