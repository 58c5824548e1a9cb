/**
 * The cipher of a connection. OpenSSH takes ChaCha20-Poly1305 unless it is told otherwise; where the processors of both ends have
 * instructions for AES, AES-128-GCM costs about 60 % of that. It is preferred there, unless an ssh_config says which ciphers to take.
 *
 * That is known only after a login, and a login costs as much as it saves for some 64 MB. So a connection that has carried so much is
 * joined by another one with the better cipher, which carries all contents from then on. Later connections to that account have it from
 * the start.
 *
 * @module
 */
import { perOwner } from "../../async/mutex.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { System } from "../../system/system.ts";
import type { MethodContext } from "../method.ts";
import { type Further, hostOf, type Sharing, sshOptions, type SshSettings } from "./ssh.ts";

/** What a connection is asked for, and what it is joined by. */
export interface FasterCipher extends AsyncDisposable {
  /** For logins from now on. */
  readonly settings: SshSettings;
  /** Of the connection with the better cipher; null while there is none. */
  readonly sharing: Sharing;
  /** So many bytes were sent. */
  carried(bytes: number): void;
}

/** What it works with. */
export interface FasterCipherParts {
  readonly settings: SshSettings;
  readonly ssh: string;
  readonly context: Pick<MethodContext, "system" | "log" | "logIn">;
  /** Runs a script at the far end and gives its output. */
  readonly ask: (script: string, signal: AbortSignal) => Promise<string>;
  /** Logs in once more; null where connections are not shared, so that each stream has one of its own anyway. */
  readonly connectAgain: ((settings: SshSettings, signal: AbortSignal) => Promise<Further>) | null;
}

const FASTER = "aes128-gcm@openssh.com";
/** Some 50 ms of both processors are saved, which is what a login costs. */
const WORTH_BYTES = 64 * 1024 * 1024;
/** The words, and the numbers of the feature, are those of x86 and of arm64. A service that sees nothing in /proc but processes has the numbers. */
const HAS_AES = [
  "-qsE",
  "^(flags|Features).* aes( |$)|^cpu:type:(x86,.*:feature:.*,0099|aarch64:feature:.*,0003)(,|$)",
  "/proc/cpuinfo",
  "/sys/devices/system/cpu/modalias",
];
/** Every Mac of the last ten years has them. */
const ASK_FOR_AES = `[ "$(uname -s)" = Darwin ] || grep ${
  HAS_AES.map((word) => `'${word}'`).join(" ")
} 2>/dev/null && echo aes\n:`;

/** The ciphers to ask an account for, best first; null where ssh shall choose. Not there while it is not known. */
const known = perOwner(() => new Map<string, string | null>());

/** With what is known of the account; finds out the rest when it is worth it. */
export function fasterCipher(parts: FasterCipherParts): FasterCipher {
  return new Choice(parts);
}

/** The settings with the ciphers that are known to be the best for that account. */
export function withKnownCiphers(settings: SshSettings, system: System): SshSettings {
  return { ...settings, ciphers: known(system).get(accountOf(settings)) ?? null };
}

class Choice implements FasterCipher {
  #bytes = 0;
  #over = false;
  #further: Further | null = null;
  #opening: Promise<void> = Promise.resolve();
  readonly #life = new AbortController();

  constructor(readonly parts: FasterCipherParts) {
    this.#over = known(parts.context.system).has(accountOf(parts.settings));
  }

  get settings(): SshSettings {
    return withKnownCiphers(this.parts.settings, this.parts.context.system);
  }

  get sharing(): Sharing {
    return this.#further === null || this.#further.isLost() ? null : { role: "client", path: this.#further.path };
  }

  carried(bytes: number): void {
    this.#bytes += bytes;
    if (this.#over || this.#bytes < WORTH_BYTES) return;
    this.#over = true;
    this.#opening = this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort();
    await this.#opening;
    await this.#further?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<void> {
    const { parts: { settings, connectAgain, context: { system, log, logIn } } } = this;
    try {
      const { ciphers, because } = await ciphersFor(this.parts, this.#life.signal);
      known(system).set(accountOf(settings), ciphers);
      if (because !== null) log("debug", `The cipher stays as ssh chooses it: ${because}`);
      if (ciphers === null || connectAgain === null) return;
      const leave = logIn ? logIn() : () => undefined;
      // Another one logs in to that host just now, or it is in trouble: the next session has it.
      if (leave === null) return;
      this.#further = await connectAgain(this.settings, this.#life.signal).finally(leave);
      log("debug", `Opened a connection that prefers ${FASTER}: both ends have AES instructions`);
    } catch (error) {
      if (!this.#life.signal.aborted) log("debug", `No connection with ${FASTER}: ${reasonOf(error)}`);
    }
  }
}

/** What to ask for, or why ssh shall choose. */
type Ciphers = { readonly ciphers: string; readonly because: null } | { readonly ciphers: null; readonly because: string };

async function ciphersFor(parts: FasterCipherParts, signal: AbortSignal): Promise<Ciphers> {
  const { settings, ssh, context: { system }, ask } = parts;
  const usual = (because: string) => ({ ciphers: null, because });
  if (!await hasAes(system, signal)) return usual("this computer has no AES instructions");
  const effective = async (options: readonly string[]) => {
    const args = [...options, "-G", "--", hostOf(settings.destination)];
    return /^ciphers (.+)$/m.exec((await system.run({ program: ssh, args }, signal)).stdout)?.[1]?.trim();
  };
  const [theirs, built] = await Promise.all([effective(sshOptions(settings, null)), effective(["-F", "none"])]);
  if (theirs !== built) return usual("an ssh_config sets Ciphers");
  const all = built?.split(",") ?? [];
  if (!all.includes(FASTER)) return usual(`ssh does not offer ${FASTER}`);
  if (!(await ask(ASK_FOR_AES, signal)).includes("aes")) return usual("the other end is not known to have AES instructions");
  return { ciphers: [FASTER, ...all.filter((cipher) => cipher !== FASTER)].join(","), because: null };
}

/** Whether this computer has them: every Mac does, and every processor that Windows 11 runs on. */
async function hasAes(system: MethodContext["system"], signal: AbortSignal): Promise<boolean> {
  if (system.platform !== "linux") return true;
  const grep = await system.which("grep");
  return grep !== null && (await system.run({ program: grep, args: HAS_AES }, signal)).code === 0;
}

function accountOf({ destination: { transport: { host, user, port } }, configFile }: SshSettings): string {
  return JSON.stringify([host, user, port, configFile]);
}
