// A GGUF file of a tiny model that can be loaded and quantised: architecture llama, 2 layers of 64,
// weights by a formula. The format: ggml-org/ggml, docs/gguf.md, version 3.
const u32 = 4, i32 = 5, f32 = 6, string = 8, array = 9; // types of values

class Bytes {
  parts = [];
  size = 0;
  add(buffer) {
    this.parts.push(buffer);
    this.size += buffer.length;
  }
  number(n, kind, bytes) {
    const buffer = Buffer.alloc(bytes);
    buffer[`write${kind}`](n);
    this.add(buffer);
  }
  u32 = (n) => this.number(n, 'UInt32LE', 4);
  u64 = (n) => this.number(BigInt(n), 'BigUInt64LE', 8);
  text(text) {
    const buffer = Buffer.from(text);
    this.u64(buffer.length);
    this.add(buffer);
  }
  value(type, value) {
    if (type === string) this.text(value);
    else if (type === f32) this.number(value, 'FloatLE', 4);
    else if (type === i32) this.number(value, 'Int32LE', 4);
    else this.u32(value);
  }
  pad(to) {
    this.add(Buffer.alloc((to - (this.size % to)) % to));
  }
}

const embedding = 64, hidden = 128, kv = 32, layers = 2;
const tokens = ['<unk>', '<s>', '</s>', '▁', ...'abcdefghijklmnopqrstuvwxyz.?'];

const shapes = () => {
  const all = { 'token_embd.weight': [embedding, tokens.length], 'output_norm.weight': [embedding] };
  for (let i = 0; i < layers; ++i) {
    Object.assign(all, Object.fromEntries(Object.entries({
      attn_norm: [embedding], attn_q: [embedding, embedding], attn_k: [embedding, kv], attn_v: [embedding, kv],
      attn_output: [embedding, embedding], ffn_norm: [embedding], ffn_gate: [embedding, hidden],
      ffn_up: [embedding, hidden], ffn_down: [hidden, embedding],
    }).map(([name, shape]) => [`blk.${i}.${name}.weight`, shape])));
  }
  return all;
};

function data(count, seed) {
  const floats = new Float32Array(count);
  let state = seed;
  for (let i = 0; i < count; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    floats[i] = (state / 2 ** 32 - 0.5) / 4;
  }
  return Buffer.from(floats.buffer);
}

export function tinyGguf(name = 'Tiny') {
  const values = [
    ['general.architecture', string, 'llama'], ['general.name', string, name], ['general.license', string, 'mit'],
    ['llama.context_length', u32, 256], ['llama.embedding_length', u32, embedding], ['llama.block_count', u32, layers],
    ['llama.feed_forward_length', u32, hidden], ['llama.attention.head_count', u32, 4],
    ['llama.attention.head_count_kv', u32, 2], ['llama.attention.layer_norm_rms_epsilon', f32, 1e-5],
    ['llama.rope.dimension_count', u32, 16],
    ['tokenizer.ggml.model', string, 'llama'], ['tokenizer.ggml.tokens', [string], tokens],
    ['tokenizer.ggml.scores', [f32], tokens.map((_, i) => -i)],
    ['tokenizer.ggml.token_type', [i32], tokens.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : 1))],
    ['tokenizer.ggml.bos_token_id', u32, 1], ['tokenizer.ggml.eos_token_id', u32, 2],
    ['tokenizer.chat_template', string, '{% for m in messages %}{{ m.content }}{% endfor %}'],
  ];
  const tensors = Object.entries(shapes());
  const out = new Bytes();
  out.add(Buffer.from('GGUF'));
  out.u32(3);
  out.u64(tensors.length);
  out.u64(values.length);
  for (const [key, type, value] of values) {
    out.text(key);
    if (!Array.isArray(type)) {
      out.u32(type);
      out.value(type, value);
      continue;
    }
    out.u32(array);
    out.u32(type[0]);
    out.u64(value.length);
    for (const each of value) out.value(type[0], each);
  }
  let offset = 0;
  for (const [key, shape] of tensors) {
    out.text(key);
    out.u32(shape.length);
    for (const n of shape) out.u64(n);
    out.u32(0); // F32
    out.u64(offset);
    offset += 4 * shape.reduce((a, b) => a * b); // every one a multiple of 32 bytes
  }
  out.pad(32);
  tensors.forEach(([, shape], i) => out.add(data(shape.reduce((a, b) => a * b), i + 1)));
  return Buffer.concat(out.parts);
}
