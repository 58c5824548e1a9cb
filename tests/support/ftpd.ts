/**
 * Real, private FTP servers for tests: vsftpd, pure-ftpd and proftpd on a port of loopback, with one account of their own, which is root
 * there. vsftpd and pure-ftpd ask the system for accounts: they see files in `/etc` of their own (a mount namespace).
 */
import { killTree, type ProcessSignal, signalEach, treeOf } from "./process_tree.ts";
import { freePort } from "./tcp_proxy.ts";
import { selfSigned } from "./certificate.ts";
import { UNPACKED, unpackedProgram, which } from "./needs.ts";
import { type TempFolder, tempFolder } from "./temp.ts";

/** The servers of Debian. */
export type FtpdKind = "vsftpd" | "pure-ftpd" | "proftpd";

export interface FtpdOptions {
  readonly kind?: FtpdKind;
  /** Logins over TLS only. */
  readonly tls?: "explicit" | "implicit";
  /** Further lines of the server's configuration, or arguments of pure-ftpd. */
  readonly config?: readonly string[];
}

export interface Ftpd extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** With TLS: its certificate, which signs itself. */
  readonly ca: string | null;
  readonly home: string;
  /** Stops every process of the server in its tracks (SIGSTOP): connections stay, nothing answers. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Ends the server and all its sessions at once (SIGKILL). */
  kill(): Promise<void>;
  /** Ends sessions and connections; the server goes on listening. */
  dropConnections(): Promise<void>;
  /** Ends everything and starts again on the same port. */
  restart(): Promise<void>;
  setPassword(password: string): Promise<void>;
  /** What the server wrote to its log. */
  log(): Promise<string>;
}

/** A user name and a password with what trips a configuration file up. */
const USER = "observer";
const PASSWORD = 'se cret:"1\\%';

/** Starts a server and waits until it answers. */
export async function startFtpd(options: FtpdOptions = {}): Promise<Ftpd> {
  const folder = await tempFolder();
  const kind = options.kind ?? "vsftpd";
  await Deno.mkdir(folder.at("home"));
  const cert = options.tls ? await selfSigned(folder, "IP:127.0.0.1,DNS:localhost", ["rsa:2048"]) : null;
  if (cert) await folder.write("both.pem", await Deno.readTextFile(cert.key) + await Deno.readTextFile(cert.cert));
  await setPassword(folder, PASSWORD);
  await shareMounts();
  let port = 0;
  let server: Deno.ChildProcess | null = null;

  async function start(): Promise<void> {
    for (let tries = 1;; tries++) {
      port ||= freePort();
      const { program, args } = await SERVERS[kind](folder, port, options);
      const child = new Deno.Command("unshare", {
        args: ["--mount", "--propagation", "slave", "sh", "-c", OWN_ACCOUNTS, "sh", folder.path, program, ...args],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      if (await answers(port, child, options.tls === "implicit")) {
        server = child;
        return;
      }
      if (tries === 5) throw new Error(`${kind} does not start: ${await log()}`);
    }
  }
  async function log(): Promise<string> {
    return await Deno.readTextFile(folder.at("log")).catch(() => "");
  }
  async function signalAll(signal: ProcessSignal): Promise<void> {
    if (server) signalEach(await treeOf(server.pid), signal);
  }
  async function kill(): Promise<void> {
    if (!server) return;
    await killTree(server.pid, true);
    await server.status;
    server = null;
  }

  await start();
  return {
    host: "127.0.0.1",
    port,
    user: USER,
    password: PASSWORD,
    ca: cert?.cert ?? null,
    home: folder.at("home"),
    // A process may have been born meanwhile.
    freeze: async () => {
      for (let round = 0; round < 3; round++) await signalAll("SIGSTOP");
    },
    thaw: () => signalAll("SIGCONT"),
    kill,
    dropConnections: async () => {
      if (server) await killTree(server.pid, false);
    },
    restart: async () => {
      await kill();
      await start();
    },
    setPassword: (password) => setPassword(folder, password),
    log,
    [Symbol.asyncDispose]: async () => {
      await kill();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** What is mounted later is to be seen by the server: where systemd runs, it is. */
async function shareMounts(): Promise<void> {
  await new Deno.Command("mount", { args: ["--make-rshared", "/"] }).output();
}

/** Runs a server that finds the accounts of these tests in `/etc`, and no others. */
const OWN_ACCOUNTS = `
folder=$1
shift
for each in passwd shadow; do mount --bind "$folder/$each" "/etc/$each" || exit 1; done
mount --bind "$folder/pam.d" /etc/pam.d || exit 1
exec "$@"
`;

async function setPassword(folder: TempFolder, password: string): Promise<void> {
  const { success, stdout } = await new Deno.Command("openssl", { args: ["passwd", "-6", "--", password] }).output();
  if (!success) throw new Error("openssl passwd failed");
  const hash = new TextDecoder().decode(stdout).trim();
  const home = folder.at("home");
  // Written in place: the server sees these very files.
  await folder.write("passwd", `root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n${USER}:x:0:0::${home}:/bin/sh\n`);
  await folder.write("shadow", `root:*:19000::::::\n${USER}:${hash}:19000::::::\n`);
  await folder.write("proftpd.passwd", `${USER}:${hash}:0:0::${home}:/bin/sh\n`);
  await Deno.chmod(folder.at("proftpd.passwd"), 0o600);
  for (const name of ["vsftpd", "pure-ftpd"]) {
    await folder.write(`pam.d/${name}`, "auth required pam_unix.so\naccount required pam_unix.so\n");
  }
}

type Start = (folder: TempFolder, port: number, options: FtpdOptions) => Promise<{ program: string; args: string[] }>;

const SERVERS: Readonly<Record<FtpdKind, Start>> = {
  vsftpd: async (folder, port, { tls, config = [] }) => {
    const lines = [
      "listen=YES",
      "listen_address=127.0.0.1",
      `listen_port=${port}`,
      "background=NO",
      "anonymous_enable=NO",
      "local_enable=YES",
      "write_enable=YES",
      "pam_service_name=vsftpd",
      `secure_chroot_dir=${folder.at("empty")}`,
      "local_umask=022",
      "file_open_mode=0666",
      "session_support=NO",
      "seccomp_sandbox=NO",
      "xferlog_enable=YES",
      "log_ftp_protocol=YES",
      `vsftpd_log_file=${folder.at("log")}`,
      ...(tls
        ? [
          "ssl_enable=YES",
          `implicit_ssl=${tls === "implicit" ? "YES" : "NO"}`,
          `rsa_cert_file=${folder.at("cert.pem")}`,
          `rsa_private_key_file=${folder.at("key.pem")}`,
          "force_local_logins_ssl=YES",
          "force_local_data_ssl=YES",
        ]
        : []),
      ...config,
    ];
    await Deno.mkdir(folder.at("empty"), { recursive: true });
    return { program: which("vsftpd") ?? "vsftpd", args: [await folder.write("vsftpd.conf", `${lines.join("\n")}\n`)] };
  },
  "pure-ftpd": (folder, port, { tls, config = [] }) =>
    Promise.resolve({
      program: unpackedProgram("pure-ftpd") ?? "pure-ftpd",
      args: [
        ...["-S", `127.0.0.1,${port}`, "-l", "unix", "-u", "0", "-E", "-H", "-D", "-U", "022:022", "-C", "50", "-c", "50"],
        ...["-O", `clf:${folder.at("log")}`, "-g", folder.at("pid")],
        ...(tls ? ["-Y", tls === "implicit" ? "3" : "2", "-2", folder.at("both.pem")] : []),
        ...config,
      ],
    }),
  proftpd: async (folder, port, { tls, config = [] }) => {
    const lines = [
      'ServerName "test"',
      "ServerType inetd",
      "DefaultServer on",
      "UseIPv6 off",
      `Port ${port}`,
      "DefaultAddress 127.0.0.1",
      "SocketBindTight on",
      "User root",
      "Group root",
      `ModulePath ${UNPACKED}/usr/lib/proftpd`,
      "LoadModule mod_digest.c",
      "LoadModule mod_tls.c",
      "AuthPAM off",
      `AuthUserFile ${folder.at("proftpd.passwd")}`,
      "AuthOrder mod_auth_file.c",
      "RootLogin on",
      "RequireValidShell off",
      "UseReverseDNS off",
      "WtmpLog off",
      // It answers logins later and later when the computer is busy, against guessing by time.
      "DelayEngine off",
      "Umask 022 022",
      "AllowStoreRestart on",
      "AllowRetrieveRestart on",
      `PidFile ${folder.at("pid")}`,
      `ScoreboardFile ${folder.at("scoreboard")}`,
      `SystemLog ${folder.at("log")}`,
      `TransferLog ${folder.at("transfers")}`,
      ...(tls
        ? [
          "TLSEngine on",
          "TLSRequired on",
          `TLSRSACertificateFile ${folder.at("cert.pem")}`,
          `TLSRSACertificateKeyFile ${folder.at("key.pem")}`,
          ...(tls === "implicit" ? ["TLSOptions UseImplicitSSL"] : []),
        ]
        : []),
      ...config,
    ];
    const file = await folder.write("proftpd.conf", `${lines.join("\n")}\n`);
    await Deno.chmod(folder.path, 0o755);
    // By itself it accepts the next connection only 0.2 s after one has ended.
    return { program: "perl", args: ["-e", LISTENER, `${port}`, unpackedProgram("proftpd") ?? "proftpd", "-c", file] };
  },
};

/** Starts a program for each connection, with the socket as its standard input and output, as inetd does. */
const LISTENER = `
use Socket;
my $port = shift;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die;
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
bind($listener, sockaddr_in($port, INADDR_LOOPBACK)) or die;
listen($listener, 128) or die;
$SIG{CHLD} = "IGNORE";
while (1) {
  accept(my $connection, $listener) or next;
  if (!fork) {
    $SIG{CHLD} = "DEFAULT";
    open(STDIN, "<&", $connection);
    open(STDOUT, ">&", $connection);
    exec @ARGV;
    die;
  }
  close $connection;
}
`;

/** True once a banner comes, or with implicit TLS a connection; false when the server ended instead. */
async function answers(port: number, child: Deno.ChildProcess, silent: boolean): Promise<boolean> {
  let ended = false;
  child.status.then(() => ended = true);
  while (!ended) {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      if (silent || await connection.read(new Uint8Array(4))) return !ended;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused) && !(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
