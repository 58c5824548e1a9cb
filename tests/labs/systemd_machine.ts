/**
 * The lab machine with a real systemd, seen from the tests: a fresh one, with an observatory's folders, a key, and a
 * configuration that delivers to the machine's own sshd.
 */
import { fitsFile } from "../support/fits_maker.ts";
import { tempFolder } from "../support/temp.ts";
import { type Answer, BINARY, command, holdLab, until } from "./lab.ts";

/** Where things are inside. Hostile on purpose: units have to quote it. */
export const HOME = "/home/observer";
export const IMAGES = `${HOME}/my images 50% (new)`;
export const CONFIG = `${HOME}/.config/image-transfer/config.yaml`;
/** The folder of the machine outside, inside. */
const SHARED = "/mnt/it";

export interface Machine extends AsyncDisposable {
  /** A shell line as root; throws when it fails. */
  sh(line: string): Promise<string>;
  /** The same as the user `observer`, in a session. */
  observer(line: string): Promise<string>;
  /** A shell line that may fail. */
  try(line: string, user?: "observer"): Promise<Answer>;
  reboot(): Promise<void>;
  /** A program from outside, inside; gives its path there. */
  bring(name: string, content: Uint8Array): Promise<string>;
  /** The camera writes FITS files of `bytes`; names from `from` on. */
  expose(from: number, count: number, bytes?: number): Promise<void>;
  /** Waits until everything in the watched folder has arrived, and every byte is right. */
  allArrived(arrived: string): Promise<void>;
  /** Every file of the system that could be left behind. */
  files(): Promise<string[]>;
}

/** Makes a fresh machine and starts it. */
export async function startMachine(script: string): Promise<Machine> {
  const held = await holdLab("systemd");
  const folder = await tempFolder();
  const call = (...args: string[]) => command("bash", [script, ...args]);
  const must = async (...args: string[]) => {
    const { code, stdout, stderr } = await call(...args);
    if (code !== 0) throw new Error(`${args.join(" ")}: exit code ${code}\n${stdout}\n${stderr}`);
    return stdout;
  };
  const boot = () => must("boot", `${folder.path}:${SHARED}`);
  const sh = (line: string) => must("run", "bash", "-ec", line);
  await call("reset");
  await boot();
  await Deno.chmod(folder.path, 0o755);
  await Deno.copyFile(BINARY, folder.at("image-transfer"));
  await Deno.chmod(folder.at("image-transfer"), 0o755);
  await sh(SETUP);
  return {
    sh,
    observer: (line) => must("as", "observer", "bash", "-ec", `cd; ${line}`),
    try: (line, user) => user ? call("as", user, "bash", "-c", `cd; ${line}`) : call("run", "bash", "-c", line),
    async reboot() {
      await must("stop");
      await boot();
    },
    async bring(name, content) {
      await folder.write(name, content);
      await Deno.chmod(folder.at(name), 0o755);
      return `${SHARED}/${name}`;
    },
    async expose(from, count, bytes = 200_000) {
      await Deno.mkdir(folder.at("new"), { recursive: true });
      for (let n = from; n < from + count; n++) await Deno.writeFile(folder.at("new", `m31_${n}.fits`), fitsFile(bytes, n + 1));
      await sh(`cd ${SHARED}/new; for f in *; do runuser -u observer -- cp "$f" '${IMAGES}/'; done; rm -rf ${SHARED}/new`);
    },
    async allArrived(arrived) {
      const there = `cd '${IMAGES}' && sha256sum -- *.fits | sort && cd '${arrived}' && sha256sum -- *.fits | sort`;
      const same = async () => {
        const { code, stdout } = await call("run", "bash", "-c", there);
        const lines = stdout.trim().split("\n");
        return code === 0 && lines.length % 2 === 0 &&
          lines.slice(0, lines.length / 2).join() === lines.slice(lines.length / 2).join();
      };
      await until("all files arrive", same, async () => {
        const { stdout } = await call("run", "bash", "-c", `${there}; journalctl --no-pager -n 40 -u image-transfer`);
        return stdout;
      });
    },
    async files() {
      const found = await sh(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log -o -path /mnt " +
          `-o -path /dev -o -path /var/lib/systemd -o -path '${IMAGES}' -o -path '${HOME}/arrived' \\) -prune -o -print | sort`,
      );
      return found.trim().split("\n");
    },
    async [Symbol.asyncDispose]() {
      await call("stop");
      await folder[Symbol.asyncDispose]();
      held[Symbol.dispose]();
    },
  };
}

/** A configuration; what is given replaces. */
export function config(changes: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    watch_path: IMAGES,
    remote_host: "127.0.0.1",
    remote_user: "observer",
    remote_base_path: `${HOME}/arrived`,
    transfer_method: "sftp",
    web: false,
    ...changes,
  });
}

const SETUP = `
cd ${HOME}
mkdir -p '${IMAGES}' .config/image-transfer .ssh arrived
ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
cp .ssh/id_ed25519.pub .ssh/authorized_keys
systemctl start ssh
ssh-keyscan 127.0.0.1 2>/dev/null > .ssh/known_hosts
echo '${config().replaceAll("'", "'\\''")}' > ${CONFIG}
chmod 700 .ssh; chmod 600 ${CONFIG}
chown -R observer: .
`;
