// Pulls and quantisations of the server, whoever began them. While a page looks they are asked for
// again and again: often while one runs.
import { untrack } from 'svelte';

import { call } from './api';
import { state as app } from './state.svelte';

export interface Job {
  id: string;
  kind: 'pull' | 'quantize';
  state: 'running' | 'paused' | 'failed' | 'done';
  model: string;
  type: string;
  name: string;
  stage: string;
  done_bytes: number;
  total_bytes: number;
  bytes_per_second: number;
  error: string;
  hint: string;
}

const oftenMs = 500;
const seldomMs = 3000;

class Jobs {
  all = $state<Job[]>([]);
  types = $state<string[]>([]);
  touched = $state(''); // the job that this window did something about, until it was shown

  async read() {
    const before = new Map(this.all.map((job) => [job.id, job.state]));
    const { data, types } = await call<{ data: Job[]; types: string[] }>('GET', '/api/v1/jobs');
    this.all = data;
    if (this.types.length !== types.length) this.types = types;
    const ended = data.some((job) => job.state === 'done' && before.get(job.id) !== 'done');
    if (ended) await app.listModels();
  }

  private act = (method: string, path: string, body: unknown) =>
    app.attempt(async () => {
      const { id } = await call<{ id: string }>(method, `/api/v1/jobs${path}`, body);
      await this.read();
      this.touched = id;
    });
  pull = (model: string) => this.act('POST', '', { kind: 'pull', model });
  quantise = (model: string, type: string, name: string) =>
    this.act('POST', '', { kind: 'quantize', model, type, name });
  pause = (id: string) => this.act('POST', `/${id}/pause`, {});
  resume = (id: string) => this.act('POST', `/${id}/resume`, {});
  remove = (id: string) => this.act('DELETE', `/${id}`, {});

  // Until what it returns is called. A poll that fails shows nothing over what a person did. What it
  // reads is no reason for an effect that begins it to run again.
  watch() {
    let timer = 0;
    let over = false;
    const again = async () => {
      if (!document.hidden) await this.read().catch(() => undefined);
      if (over) return;
      const busy = this.all.some((job) => job.state === 'running');
      timer = window.setTimeout(() => void again(), busy ? oftenMs : seldomMs);
    };
    untrack(() => void again());
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }
}

export const jobs = new Jobs();
