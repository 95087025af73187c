// What the page asks of the server. The token stands in the fragment of the address that `jaxnn play` printed; it is
// sent as a header and in no address.

const KEY = "jaxnn-token";

export class Refused extends Error {
  constructor(status, lines) {
    super(lines.join("\n"));
    this.status = status;
  }
}

function fragment() {
  return new URLSearchParams(location.hash.slice(1));
}

const given = fragment().get("token");
if (given) localStorage.setItem(KEY, given);
const token = given || localStorage.getItem(KEY) || "";

/** The config of the address's fragment as TOML, or null; the token is taken out of the address. */
export async function linkedConfig() {
  const packed = fragment().get("config");
  history.replaceState(null, "", packed ? `#config=${packed}` : location.pathname);
  if (!packed) return null;
  const bytes = Uint8Array.from(atob(packed.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return readLimited(stream, 1 << 16);
}

async function readLimited(stream, limit) {
  const reader = stream.getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > limit) throw new Refused(422, ["The config of this link is longer than 64 KiB."]);
    parts.push(value);
  }
  return new Blob(parts).text();
}

/** The address of this page with a config in its fragment, which no browser sends to a server. */
export async function linkOf(toml) {
  const stream = new Blob([toml]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const packed = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `${location.origin}/#config=${packed}`;
}

async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${token}`, ...options.headers };
  const response = await fetch(`/api/${path}`, { ...options, headers });
  if (response.ok) return response;
  const text = await response.text();
  let lines = [text];
  try {
    lines = JSON.parse(text).errors;
  } catch {
    // The refusal is plain text.
  }
  throw new Refused(response.status, lines);
}

export async function get(path) {
  return (await ask(path)).json();
}

export async function post(path, content, type = "application/json") {
  const body = type === "application/json" ? JSON.stringify(content) : content;
  return (await ask(path, { method: "POST", headers: { "Content-Type": type }, body })).json();
}

const TYPES = { uint8: Uint8Array, float32: Float32Array };

/** The next frame after view `after`: its facts, and arrays by name with their shapes. */
export async function frame(after, seed) {
  const buffer = await (await ask(`frame?after=${after}&seed=${seed}`)).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const { name, dtype, shape, offset } of facts.arrays) {
    const size = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { data: new TYPES[dtype](buffer, 4 + length + offset, size), shape };
  }
  return { ...facts, arrays };
}
