/**
 * A real, private sshd for tests: own port on loopback, own host key, user key, known_hosts and ssh_config.
 * It logs in as whoever runs the tests; `await using server = await startSshd()` takes everything away again.
 */
import { killTree, type ProcessSignal, signalEach, treeOf } from "./process_tree.ts";
import { linkFarm } from "./link_farm.ts";
import { freePort } from "./tcp_proxy.ts";
import { which } from "./needs.ts";

export interface SshdOptions {
  /** Only SFTP, no shell (`ForceCommand internal-sftp`). */
  readonly sftpOnly?: boolean;
  /** Programs that sessions do not find on their PATH, e.g. `["rsync", "sha256sum"]`. */
  readonly without?: readonly string[];
  /** Scripts that sessions find in place of programs: name → text, e.g. `{ rsync: "#!/bin/sh\nexit 12\n" }`. */
  readonly instead?: Readonly<Record<string, string>>;
  /** Channels in one connection (`MaxSessions`; OpenSSH's own default is 10). */
  readonly maxSessions?: number;
  /** Further lines of sshd_config. */
  readonly config?: readonly string[];
  /** A program that starts it, with its first arguments: `["setpriv", "--bounding-set=-dac_override"]`. */
  readonly through?: readonly string[];
}

export interface Sshd extends AsyncDisposable {
  /** An alias in {@linkcode sshConfig}; `127.0.0.1` with {@linkcode port} works as well. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly identityFile: string;
  readonly knownHosts: string;
  /** The client's configuration: what the user's `~/.ssh/config` would be. */
  readonly sshConfig: string;
  /** For a daemon in its own process: makes our ssh, scp, sftp and rsync use {@linkcode sshConfig}. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes a System in this process use {@linkcode sshConfig}. */
  configure<S extends { env(name: string): string | undefined }>(system: S): S;
  /** Stops every process of the server in its tracks (SIGSTOP): connections stay, nothing answers. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Process states of the server and its sessions, as `ps` tells them. */
  states(): Promise<string[]>;
  /** Ends the server and all its sessions at once (SIGKILL). */
  kill(): Promise<void>;
  /** Ends sessions and connections; the server goes on listening. */
  dropConnections(): Promise<void>;
  /** Ends everything and starts again on the same port, with the same keys. */
  restart(): Promise<void>;
  /** Comes back with another host key; known_hosts keeps the old one. */
  changeHostKey(): Promise<void>;
  /** The user's key is refused from now on; sessions that are open stay. */
  revokeKey(): Promise<void>;
  allowKey(): Promise<void>;
  /** How often someone has logged in so far. */
  logins(): Promise<number>;
  /** What sshd wrote to its log. */
  log(): Promise<string>;
}

/** Starts a server and waits until it answers. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const folder = await Deno.makeTempDir({ prefix: "it-sshd-" });
  const user = await whoami();
  const at = (name: string) => `${folder}/${name}`;
  await makeKey(at("id"));
  await makeKey(at("host_key"));
  await Deno.copyFile(at("id.pub"), at("authorized_keys"));
  const [type, key] = (await Deno.readTextFile(at("host_key.pub"))).split(" ");
  // Any port of loopback: so a proxy in front of the server has the same key.
  await Deno.writeTextFile(at("known_hosts"), `[127.0.0.1]:*,127.0.0.1 ${type} ${key}\n`);
  if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });

  let path: string | undefined;
  if (options.without || options.instead) path = await linkFarm(at("bin"), options.without ?? [], options.instead ?? {});
  let port = 0;
  let server: Deno.ChildProcess | null = null;

  async function start(): Promise<void> {
    for (let tries = 1;; tries++) {
      port ||= freePort();
      await Deno.writeTextFile(at("sshd_config"), serverConfig(folder, port, options, path));
      const sshd = which("sshd") ?? "sshd";
      const [program = sshd, ...before] = [...options.through ?? [], sshd];
      const child = new Deno.Command(program, {
        args: [...before, "-D", "-f", at("sshd_config"), "-E", at("log")],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      if (await answers(port, child)) {
        server = child;
        return;
      }
      // A port is lost to someone else only now and then; a server that never starts has a fault of its own.
      if (tries === 5) throw new Error(`sshd does not start: ${await Deno.readTextFile(at("log"))}`);
    }
  }

  async function signalAll(signal: ProcessSignal): Promise<void> {
    if (server) signalEach(await treeOf(server.pid), signal);
  }

  async function states(): Promise<string[]> {
    if (!server) return [];
    const pids = await treeOf(server.pid);
    return (await output("ps", ["-o", "stat=", "-p", pids.join(",")])).trim().split("\n");
  }

  async function kill(): Promise<void> {
    if (!server) return;
    await killTree(server.pid, true);
    await server.status;
    server = null;
  }

  async function restart(): Promise<void> {
    await kill();
    await start();
  }

  await start();
  const alias = `sshd-${port}`;
  await Deno.writeTextFile(at("ssh_config"), clientConfig(folder, alias, port, user));
  const env = { IMAGE_TRANSFER_SSH_CONFIG: at("ssh_config") };

  return {
    host: alias,
    port,
    user,
    identityFile: at("id"),
    knownHosts: at("known_hosts"),
    sshConfig: at("ssh_config"),
    env,
    configure: (system) => ({
      ...system,
      env: (name: string) => name === "IMAGE_TRANSFER_SSH_CONFIG" ? at("ssh_config") : system.env(name),
    }),
    freeze: async () => {
      // A signal takes effect a little later, and a process may have been born meanwhile. One that waits in vfork(2) for a child
      // that was stopped before its exec stays in D, and is as still as the others.
      do await signalAll("SIGSTOP"); while (!(await states()).every((state) => /^[DTZ]/.test(state)));
    },
    thaw: async () => {
      do await signalAll("SIGCONT"); while ((await states()).some((state) => state.startsWith("T")));
    },
    states,
    kill,
    dropConnections: async () => {
      if (server) await killTree(server.pid, false);
    },
    restart,
    changeHostKey: async () => {
      for (const name of ["host_key", "host_key.pub"]) await Deno.remove(at(name));
      await makeKey(at("host_key"));
      await restart();
    },
    revokeKey: () => Deno.writeTextFile(at("authorized_keys"), ""),
    allowKey: () => Deno.copyFile(at("id.pub"), at("authorized_keys")),
    logins: async () => (await Deno.readTextFile(at("log"))).split("Accepted publickey").length - 1,
    log: () => Deno.readTextFile(at("log")),
    [Symbol.asyncDispose]: async () => {
      await kill();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function serverConfig(folder: string, port: number, options: SshdOptions, path: string | undefined): string {
  return [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${folder}/host_key`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    `PidFile ${folder}/pid`,
    "PermitRootLogin prohibit-password",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "StrictModes no",
    "UsePAM no",
    "PrintMotd no",
    "MaxStartups 200:1:200",
    "Subsystem sftp internal-sftp",
    // Of two lines for one thing sshd takes the first.
    ...(options.config ?? []),
    "LogLevel VERBOSE",
    ...(options.sftpOnly ? ["ForceCommand internal-sftp"] : []),
    ...(options.maxSessions === undefined ? [] : [`MaxSessions ${options.maxSessions}`]),
    // With SHLVL, bash does not run the start-up files of whoever runs the tests: they may be slow, and a lock that a killed
    // session left in one of them would stop all others.
    `SetEnv SHLVL=1${path === undefined ? "" : ` PATH=${path}`}`,
    "",
  ].join("\n");
}

function clientConfig(folder: string, alias: string, port: number, user: string): string {
  return [
    `Host ${alias}`,
    "  HostName 127.0.0.1",
    `  Port ${port}`,
    "Host *",
    `  User ${user}`,
    `  IdentityFile ${folder}/id`,
    "  IdentitiesOnly yes",
    "  IdentityAgent none",
    `  UserKnownHostsFile ${folder}/known_hosts`,
    "  GlobalKnownHostsFile /dev/null",
    "",
  ].join("\n");
}

async function makeKey(file: string): Promise<void> {
  await output("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file]);
}

async function whoami(): Promise<string> {
  return (await output("id", ["-un"])).trim();
}

async function output(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** True once a banner comes; false when the server ended instead. */
async function answers(port: number, child: Deno.ChildProcess): Promise<boolean> {
  let ended = false;
  child.status.then(() => ended = true);
  while (!ended) {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      if (await connection.read(new Uint8Array(4))) return !ended;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) && !(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
