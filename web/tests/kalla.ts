/** The product as a process, and its API as a test needs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import type { CreateRunRequest, Run, Upload } from "../src/api/client";

interface Options {
  demo?: boolean;
  port?: string;
  dir?: string;
  /** `up`, if nothing is said. */
  command?: "up" | "gateway";
  env?: Record<string, string>;
}

export class Kalla {
  readonly dir: string;
  readonly url: string;
  #process: ChildProcess;

  private constructor(dir: string, url: string, process: ChildProcess) {
    this.dir = dir;
    this.url = url;
    this.#process = process;
  }

  /** `kalla up`, or another command, in a directory of its own, or in `dir`, once it serves. */
  static async start(options: Options = {}): Promise<Kalla> {
    const binary = process.env.KALLA_TEST_BINARY;
    if (!binary) throw new Error("KALLA_TEST_BINARY: scripts/test.sh sets it to the kalla that was built");
    const dir = options.dir ?? realpathSync(mkdtempSync(join(tmpdir(), "kalla-web-")));
    const flags = [
      options.command ?? "up",
      "--port",
      options.port ?? "0",
      ...(options.demo ? ["--demo"] : []),
    ];
    const child = spawn(binary, flags, {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    child.stderr.pipe(process.stderr);
    const awaited = options.demo ? /matches/ : /127/;
    const url = await new Promise<string>((resolve, reject) => {
      let found = "";
      // `up` says it to people, `gateway` to its log.
      const hear = (line: string) => {
        found ||= /(?:Kalla {2}http:\/\/|listening address=)(127\.0\.0\.1:\d+)/.exec(line)?.[1] ?? "";
        if (found && awaited.test(line)) resolve(`http://${found}`);
      };
      for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", hear);
      child.on("exit", (code) => reject(new Error(`kalla up ended with ${code}`)));
    });
    return new Kalla(dir, url, child);
  }

  get port(): string {
    return new URL(this.url).port;
  }

  /** At once; its directory stays. */
  async kill() {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await gone;
  }

  async stop() {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async get<T>(path: string): Promise<T> {
    const answer = await fetch(this.url + path);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async post<T>(path: string, body: object): Promise<T> {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(this.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** Takes a file in and gives its id. */
  async upload(path: string): Promise<string> {
    const form = new FormData();
    form.append("file", new Blob([readFileSync(path)]), basename(path));
    const answer = await fetch(`${this.url}/api/uploads`, { method: "POST", body: form });
    return ((await answer.json()) as Upload).upload_id;
  }

  run(request: Partial<CreateRunRequest>): Promise<Run> {
    return this.post("/api/runs", request);
  }

  /** The run, once it has ended. */
  async ended(run: Run): Promise<Run> {
    for (let now = run; ; now = await this.get<Run>(`/api/runs/${run.run_id}`)) {
      if (["completed", "failed", "cancelled"].includes(now.state)) return now;
      // Until something happens to it.
      await fetch(`${this.url}/api/runs/${run.run_id}/events?after=${now.version}`).then((events) =>
        events.body?.getReader().read(),
      );
    }
  }
}
