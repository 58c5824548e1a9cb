/**
 * Every reason that something can fail for, with what would help: the vocabulary of methods, disks and servers. Whoever meets an error
 * only finds the row that it belongs to; what a code means for the daemon is in `failure.ts`.
 */
import { Failure, type FailureCode, type NextStep } from "./failure.ts";

/** Why something failed. `{words}` in it stand for what is known of the one case. */
export interface Cause {
  readonly code: FailureCode;
  /** Ends the sentence `Cannot do this: …`; empty where that says it all. */
  readonly reason: string;
  readonly hint: string;
  /** Where it is not what the code says. */
  readonly next?: NextStep;
}

interface Case {
  /** What a program or a server said: shown in brackets, or as the `{reason}`. */
  readonly said?: string;
  readonly words?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A Failure in the words of the vocabulary; `what` is the beginning of its sentence: `Cannot send to nas`. */
export function failure(cause: Cause, what: string, about: Case = {}): Failure {
  return new Failure(...failureParts(cause, what, about));
}

export function failureParts(cause: Cause, what: string, about: Case = {}): ConstructorParameters<typeof Failure> {
  const { said = "", words, cause: error } = about;
  const { code, reason, hint, next } = filled(cause, { reason: said, ...words });
  const isNews = said !== "" && said.toLowerCase() !== reason.toLowerCase();
  const message = `${what}${reason === "" ? "" : `: ${reason}`}${isNews ? ` (${said})` : ""}`;
  return [code, message, { hint, ...(next === undefined ? {} : { next }), cause: error }];
}

export function filled(cause: Cause, words: Readonly<Record<string, string>>): Cause {
  const fill = (sentence: string) => sentence.replace(/\{(\w+)\}/g, (whole, name: string) => words[name] ?? whole);
  return { ...cause, reason: fill(cause.reason), hint: fill(cause.hint) };
}

type Row = readonly [reason: string, hint?: string, next?: NextStep];

function causes<Name extends string>(code: FailureCode, rows: Readonly<Record<Name, Row>>): Readonly<Record<Name, Cause>> {
  const all = Object.entries<Row>(rows).map(([name, [reason, hint = "", next]]) => [
    name,
    { code, reason, hint, ...(next === undefined ? {} : { next }) },
  ]);
  return Object.fromEntries(all);
}

const RETRIED = "It is retried automatically.";
const CHECKED = "It is checked again.";
const FREE = "Free some space there; delivery resumes automatically.";
const STATE_FREE = "Free some space on that disk; nothing recorded so far is lost.";
const WRITABLE = "Mount it for writing. If the system has made it read-only, check the disk.";
const RENAME = "Rename the file, or change the layout.";
const MAY_WRITE = "Give the account permission to write below the base path.";
const OPEN_FILES = "Raise the limit of open files (LimitNOFILE, ulimit -n).";
const OTHER_FILE_SYSTEM = "Make that file system a destination of its own.";
const MOUNT = "Mount the disk or network drive there, or correct remote_base_path.";
const GONE = "If it was moved or deleted on purpose, ignore this. To deliver it, put it back.";
const LOOK_THERE = `${RETRIED} If it persists, check the load, the disks and the log of that computer.`;
const READABLE_BACK =
  "Give the account permission to read it, or move it away; if its permissions are right, check the disk there.";
const QUIET_SHELL = `${RETRIED} If it persists, make sure that the start-up files of the remote shell print nothing.`;
// `watch` and `copy` have no configuration that doctor could check.
const ENROLL = "`image-transfer doctor --enroll`, or without a configuration `{login}`, shows its fingerprint and accepts it.";
const OR_SFTP = "or set transfer_method to sftp or auto.";
const NO_RSYNC = `Install rsync there, ${OR_SFTP}`;
const RSYNC_OPTIONS = "Check rsync_options: both ends must know them. `image-transfer doctor` shows both versions.";
const CERTIFICATE =
  "Check that remote_host is the name in the certificate, and the clocks. For a certificate of your own, set tls_ca to a file with it (or with the authority that signed it).";
const RENEW = "Renew the certificate of the server, and check the clock of this computer.";
const PASSIVE =
  "A firewall there probably blocks the data ports: open the server's passive ports (pasv_min_port to pasv_max_port, PassivePorts…), and have it announce an address that is reachable from here.";
const POCKETBASE_URL = "Check pocketbase.url, and the proxy in front of PocketBase: it must pass on all of /api/.";

/** What helps where it is not known which start-up file of the remote shell prints. */
export const SILENCE_STARTUP =
  "Let the start-up files of that account (~/.bashrc, ~/.zshenv, ~/.cshrc, ~/.ssh/rc) print only on a terminal: put `[ -t 1 ] &&` in front of the line that prints.";

/** By code, in the order of `failure.ts`. */
export const CAUSES = {
  ...causes("source_gone", {
    source_gone: ["it no longer exists", GONE],
    source_folder_gone: ["its folder no longer exists", GONE],
  }),
  ...causes("source_changed", {
    source_not_a_file: ["it is no longer a regular file", CHECKED],
    source_replaced: ["it changed after it was finished, or another file has taken its place", CHECKED],
    source_changed: ["it changed while it was sent", CHECKED],
    source_shorter: ["it became shorter while it was sent", CHECKED],
    source_newer: ["it changed after it was finished", "The new version is delivered when it is finished."],
  }),
  ...causes("source_unreadable", {
    source_denied: [
      "permission denied",
      "Give the account that runs image-transfer permission to read the file; it is retried automatically.",
    ],
    source_open: ["another program has it open", RETRIED],
    source_disk: ["the disk reports an error", "Check the disk; it is retried automatically."],
    source_unreadable: ["it cannot be opened or read", "Check the file's permissions and the disk; it is retried automatically."],
    watched_folder_missing: [
      "the watched folder is missing",
      "Restore the folder (is its disk mounted?); delivery resumes automatically.",
    ],
  }),
  ...causes("unreachable", {
    unknown_host: ["unknown host name", `Check remote_host, and that this computer can look up names. ${RETRIED}`],
    nobody_listens: [
      "no {service} server is listening there",
      `Check remote_host and remote_port, and that the {service} server is running. ${RETRIED}`,
    ],
    host_silent: ["the host is not responding", `Check that it is running and that the network is up. ${RETRIED}`],
    nothing_in_common: [
      "the two sides have no cipher, key exchange or key type in common",
      "Update the older side, or allow the algorithm that the message names for this host in your ssh_config.",
      "hold",
    ],
    no_banner: [
      "the ssh server did not respond within {seconds} s",
      `Check remote_port: something listens there, but it is not an ssh server, or it is overloaded. ${RETRIED}`,
    ],
    closed_before_login: [
      "the server closed the connection before the login",
      `It may be overloaded or starting, or have blocked this computer for a while (MaxStartups, PerSourcePenalties, fail2ban). ${RETRIED}`,
    ],
    no_proxy: ["the proxy cannot be found", RETRIED],
    not_ftp: [
      "it does not respond like an FTP server",
      `Check remote_port. An implicit TLS port (990) needs transfer_method: ftps with tls_mode: implicit. ${RETRIED}`,
    ],
    no_tls: [
      "TLS could not be started",
      "Check tls_mode: explicit is for port 21, implicit for port 990. An old server may offer only TLS versions that are no longer safe.",
      "hold",
    ],
    ftp_busy: [
      "the server accepts no connections at the moment",
      `It may have too many, or be closing: lower parallel_transfers, or raise its limits (max_clients, max_per_ip…). ${RETRIED}`,
    ],
    no_data_connection: ["the data connection cannot be opened", PASSIVE],
    store_error: [
      "the store reports an internal error",
      `The store or its disk may be overloaded, broken or read-only: see its log. ${RETRIED}`,
    ],
    store_unreachable: [
      "the store cannot be reached",
      `Check the network, and the endpoint of the remote in rclone's configuration. ${RETRIED}`,
    ],
    pocketbase_unreachable: [
      "no connection",
      "Deliveries continue without it. Check the network, and that PocketBase is running.",
    ],
  }),
  ...causes("interrupted", {
    too_many_files: ["too many files are open", `${OPEN_FILES} ${RETRIED}`],
    disk_error: ["the disk or the network drive reports an error", "Check the disk and its connection."],
    not_there: ["it does not exist", RETRIED],
    place_taken: ["another file has taken its place", RETRIED],
    unsupported: ["the file system does not support this", "Use another file system, or another transfer method."],
    system_error: ["the system reports an error", RETRIED],
    refused_once: ["the server refuses it", `${RETRIED} A quota may be used up.`],
    failed: ["it failed", RETRIED],
    said: ["{reason}", RETRIED],
    staged_gone: ["its temporary file is gone", "Something else removed it; the file is sent again."],
    connection_lost: ["the connection was lost", RETRIED],
    ended: ["{tool} ended with {status}", RETRIED],
    ended_there: ["{tool} ended with {status}", LOOK_THERE],
    tar_ended_early: ["tar ended before it had read everything", LOOK_THERE],
    ssh_ended: ["{tool} ended with {status}", `${RETRIED} \`image-transfer doctor\` tests the connection step by step.`],
    damaged_on_the_way: [
      "the connection delivered damaged data",
      `If this happens often, test cables, switches and memory. ${RETRIED}`,
    ],
    no_more_sessions: ["the server refused another session", `Lower parallel_transfers, or raise MaxSessions there. ${RETRIED}`],
    noisy_shell: ["", QUIET_SHELL],
    rsync_stopped: ["{what}", LOOK_THERE],
    data_connection_lost: ["the data connection was lost", RETRIED],
    tls_session_unknown: [
      "the server does not recognise the TLS session that it asks to reuse",
      `That works with TLS 1.2 only: allow it there, with ciphers for the kind of its certificate (vsftpd: ssl_ciphers), or set require_ssl_reuse=NO. ${RETRIED}`,
    ],
    server_redirects: [
      "it redirects to {address}",
      "Check pocketbase.url, and whether this network asks for a login of its own.",
    ],
    proxy_unanswered: ["the proxy in front of it gets no answer (HTTP {status})", "Check that PocketBase is running."],
    other_program: ["another program answers there (HTTP {status})", POCKETBASE_URL],
    web_page: ["a web page answers there{details}, not PocketBase", POCKETBASE_URL],
    not_pocketbase: ["it does not respond like a PocketBase server", "Check pocketbase.url."],
    pocketbase_cannot_save: ["", "Is the disk of the server full? Nothing is lost: it is sent again."],
  }),
  ...causes("timeout", {
    server_silent: ["the server is no longer responding", RETRIED],
    no_answer: ["", LOOK_THERE],
    no_progress: ["no progress for too long", `${RETRIED} See transfer_timeout_seconds.`],
    state_open: ["another program has it open", "Close that program and try again."],
    ledger_locked: [
      "another program has kept it locked for too long",
      "Close programs that have the ledger open; it is retried automatically.",
    ],
    pocketbase_late: [
      "it did not answer in time",
      "Deliveries continue without it. Check the network, and that PocketBase is running.",
    ],
  }),
  ...causes("stopped", {
    aborted: ["it was stopped"],
  }),
  ...causes("host_key_unknown", {
    host_key_unknown: ["the host key is not known yet", ENROLL],
    rclone_host_key_unknown: [
      "the host key is not known yet",
      "Add it to the file that known_hosts_file of the remote names (ssh-keyscan shows it; check its fingerprint).",
    ],
  }),
  ...causes("host_key_changed", {
    host_key_changed: [
      "the host key has changed",
      `Find out why first: somebody may be intercepting the connection. If the host was reinstalled, remove the old key with \`{forget}\`; then ${ENROLL}`,
    ],
    rclone_host_key_changed: [
      "the host key has changed",
      "Find out why before you replace it in the file that known_hosts_file of the remote names.",
    ],
  }),
  ...causes("certificate_refused", {
    ftp_certificate_name: ["its certificate is for another host name", CERTIFICATE],
    ftp_certificate: ["its certificate is not trusted", CERTIFICATE],
    store_certificate: [
      "its certificate is not trusted",
      "Check the endpoint of the remote, the certificate of the server, and the clock of this computer. For a CA of your own, set RCLONE_CA_CERT in the environment of the service.",
    ],
    certificate_too_early: ["its certificate is not valid yet", RENEW],
    certificate_expired: ["its certificate has expired", RENEW],
    certificate_name: ["its certificate is for another host name", "Use the name in the certificate in pocketbase.url."],
    certificate_damaged: [
      "its certificate, or one of tls_ca, is damaged",
      "Create the file of pocketbase.tls_ca again, in PEM format.",
    ],
    certificate_untrusted: [
      "its certificate is not from an authority that this computer trusts",
      "For a certificate of your own, set pocketbase.tls_ca to a file with the authority that signed it.",
    ],
  }),
  ...causes("login_refused", {
    key_exposed: [
      'ssh does not use the private key "{key}" because other accounts can read it',
      "Run `{chmod}` as the account that runs image-transfer.",
    ],
    key_unreadable: [
      'this account is not allowed to read the private key "{key}"',
      "Make the account that runs image-transfer the owner of that file (`chown`), with mode 600.",
    ],
    ssh_login_refused: [
      "the login{who} was refused",
      "Check remote_user. Put the public key of the account that runs image-transfer into ~/.ssh/authorized_keys there; a key with a passphrase needs an agent. Test with `{test}`.",
    ],
    ftp_login_refused: [
      "the login was refused",
      "Check remote_user and password (or password_file), and that the account may use FTP there.",
    ],
    rclone_login_refused: [
      "the login was refused",
      'Check the keys or the password of the remote with "rclone config", then "rclone lsd" with the remote.',
    ],
    store_clock: [
      "the clock of this computer and that of the store differ too much",
      'Set the clock of this computer ("timedatectl set-ntp true" on Linux), or that of the server.',
    ],
  }),
  ...causes("disk_full", {
    disk_full: ["the disk is full", FREE],
    quota_full: ["the quota of the account is used up", FREE],
    full: ["the disk or the quota is full", FREE],
    full_or_failing: ["the disk or the quota is full", `${FREE} If there is room, check the disk.`],
    does_not_fit: ["not enough free space", `${FREE} See minimum_free_space_gb and copy_safety_margin_gb.`],
    too_little_free: ["{free} GB free, {minimum} GB must stay free", `${FREE} See minimum_free_space_gb.`],
  }),
  ...causes("read_only", {
    read_only: ["the file system is read-only", WRITABLE],
    store_read_only: ["the store is read-only", "Make it writable; delivery resumes automatically."],
    state_read_only: [
      "the file system is read-only",
      "Mount it for writing, or choose another folder with state_directory. If the system has made it read-only, check the disk.",
    ],
  }),
  ...causes("permission_denied", {
    permission_denied: ["permission denied", MAY_WRITE],
    in_use_there: ["another program has it open", "Close the program that has the file open at the destination."],
    refused_there: [
      "the server refuses it",
      "Check the permissions of the account there, and that the disk there is neither full nor read-only.",
    ],
    store_denied: [
      "permission denied",
      "Allow this account to list, read, write and delete below the base path (for S3: ListBucket, GetObject, PutObject, DeleteObject).",
    ],
    state_denied: ["permission denied", "Run it as the account that owns the state directory, or check its owner and mode."],
    ledger_read_only: ["it is read-only for this account", "Check the owner and the mode of the file and of its folder."],
    ledger_unopened: [
      "it cannot be opened",
      "Check that its folder exists, and that this account may read and write the file and its folder.",
    ],
  }),
  ...causes("device_missing", {
    disk_not_responding: [
      "the disk or network share there is not responding",
      "Check the disk and the mount at the destination.",
    ],
    base_missing: ["", MOUNT],
    ftp_base_missing: [
      "",
      "Mount the disk there, or correct remote_base_path: a path that begins with / begins where the account may go; one without begins at its home folder.",
    ],
    unmounted: ["it is no longer mounted", "Mount the disk or network drive there again."],
    temporary_folder_gone: ["the temporary folder there is gone", "Check whether the disk there is still mounted."],
    no_bucket: ["there is no such bucket", "Create the bucket, or correct remote_base_path."],
    state_missing: ["its disk or folder is missing", "Mount the disk, or choose another folder with state_directory."],
  }),
  ...causes("not_a_folder", {
    base_not_a_folder: ["it is not a folder", "Correct remote_base_path."],
    rsync_folders: [
      "rsync could not use its folders",
      "Check remote_base_path, and the folder for temporary files in state_directory.",
    ],
    state_file_blocks_folder: [
      "a file exists where a folder is needed",
      "Move the file away, or choose another folder with state_directory.",
    ],
  }),
  ...causes("tool_missing", {
    shell_prints: ["the login shell there prints text where the SFTP server should answer", SILENCE_STARTUP],
    service_refused: [
      "the server does not allow this account to use this service",
      "Without a shell use transfer_method sftp, without SFTP use rsync; auto chooses.",
    ],
    no_usable_shell: [
      "the account has no usable shell",
      "Set transfer_method to sftp (or auto): it needs no shell at the destination.",
    ],
    not_rsync: [
      "the program there is not rsync, or the login shell printed text before it",
      `${SILENCE_STARTUP} Very old versions of rsync need an update, or transfer_method sftp.`,
    ],
    no_ssh_here: ["", "Install the OpenSSH client (package openssh-client or openssh)."],
    no_ssh_on_windows: [
      "",
      'Install the optional Windows feature "OpenSSH Client" (Settings > System > Optional features).',
    ],
    no_rsync_here: ["", "Install rsync, or set transfer_method to sftp."],
    rsync_without_version: ["it does not report its version", "Install rsync 3, or set transfer_method to sftp."],
    rsync_too_old: ["one end is older than 2.6.9", `Update rsync there, ${OR_SFTP}`],
    shell_prints_to_rsync: ['the login shell there prints "{line}"', "{advice} Or set transfer_method to sftp or auto."],
    no_hash_there: [
      "no tool there can hash files with SHA-256",
      "Install openssl, or coreutils with sha256sum, there, or set transfer_method to sftp.",
    ],
    no_stat_there: [
      "no tool there can check many files",
      "Install perl, or a stat command, there, or set transfer_method to sftp.",
    ],
    tar_missing: ["it is not installed there", `Install tar there, ${OR_SFTP}`],
    tar_line_break: ["its base path has a line break", "Set transfer_method to sftp or auto."],
    rsync_not_startable: ["the rsync there cannot be run", NO_RSYNC],
    rsync_missing: ["rsync is not installed there", NO_RSYNC],
    tar_not_startable: ["tar cannot be started there", `Install tar there, ${OR_SFTP}`],
    tar_input_taken: [
      "a start-up file of the login shell there reads what is sent",
      `Let the start-up files of that account (~/.bashrc, ~/.zshenv, ~/.cshrc) read only from a terminal, ${OR_SFTP}`,
    ],
    curl_too_old: ["curl does not know an option that is needed", "Install a current curl."],
    rclone_too_old: ["this rclone is too old", "Install rclone 1.73 or later from rclone.org/install."],
  }),
  ...causes("mismatch", {
    moved_away: ["the file that was sent is no longer there", "Something else removed it; the file is sent again."],
    not_read_back: ["", READABLE_BACK],
    not_all_sent: [
      "{method} did not send all of it and gave no reason",
      "It is sent again; it may have changed meanwhile. If it persists, check the disks of both ends.",
    ],
  }),
  ...causes("exists", {
    path_blocked: ["another file or folder blocks this path", "Check the path at the destination, and move away what blocks it."],
    name_taken: ["the name is taken", "Move the existing file, or set on_conflict."],
    file_blocks_folder: ["a file exists where a folder is needed", "Move the file away, or change the layout."],
    folder_has_name: ["a folder has that name", "Move the folder away, or change the layout."],
    state_folder_has_name: ["a folder has that name", "Move the folder away."],
  }),
  ...causes("name_refused", {
    name_too_long: ["the name is too long for the file system there", "Shorten the file's name or the layout."],
    name_refused: ["the file system there rejects the name", "Rename the file: not every file system allows every character."],
    server_refuses_name: ["the server does not allow this name", RENAME],
  }),
  ...causes("local_disk_full", {
    state_full: ["the disk is full", STATE_FREE],
    state_disk_failing: [
      "its disk is full or failing",
      "Free some space on that disk, or check the system log for disk errors; nothing recorded so far is lost.",
    ],
    state_disk_error: [
      "its disk or network drive reports an error",
      "Check the system log for disk errors; nothing recorded so far is lost.",
    ],
    batch_disk_full: ["the disk is full", "Free some space on the disk of state_directory."],
  }),
  ...causes("configuration", {
    other_file_system: ["the folder is on another file system than the base path", OTHER_FILE_SYSTEM],
    ssh_config: [
      "the ssh configuration of this account cannot be used",
      "Correct the file that the message names, then test with `{test}`.",
      "hold",
    ],
    not_a_host_name: [
      '"{host}" is not a host name',
      "Set remote_host to a host name, an address or an alias of your ssh_config.",
    ],
    rsync_options: ["rsync does not understand its options", RSYNC_OPTIONS, "hold"],
    rsync_option_missing: ["one end of rsync does not know an option", RSYNC_OPTIONS, "hold"],
    rsync_deletions: ["rsync stopped at a limit for deletions", RSYNC_OPTIONS, "hold"],
    tls_not_offered: [
      "the server does not offer TLS",
      "Enable TLS on the server, or, on a network that you trust, set transfer_method: ftp, which sends the password unencrypted.",
      "hold",
    ],
    tls_needed: ["the server accepts logins over TLS only", "Set transfer_method: ftps.", "hold"],
    tls_ca_unreadable: [
      "the certificates of tls_ca cannot be read",
      "Check that tls_ca is a file with certificates in PEM format, which this account may read.",
      "hold",
    ],
    rclone_no_remote: [
      "rclone has no such remote",
      'Create the remote with "rclone config" as the account that runs image-transfer, or set rclone_config. "rclone listremotes" shows what there is.',
      "hold",
    ],
    rclone_config_encrypted: [
      "rclone's configuration is encrypted, and its password is not known",
      "Set RCLONE_CONFIG_PASS in the environment of the service, or use another file with rclone_config.",
      "hold",
    ],
    rclone_config_unreadable: [
      "rclone cannot read its configuration",
      'Check rclone_config; "rclone config file" shows the usual place.',
      "hold",
    ],
    state_unusable: ["{reason}", "Choose another folder with state_directory."],
    batch_refused: ["", "Check state_directory: its disk must allow symlinks.", "hold"],
    port_taken: ["another program is using this port", "Choose another port in web.listen, or port 0 for any free port."],
    port_denied: ["this account is not allowed to use this port", "Choose port 1024 or higher in web.listen."],
    no_such_address: ['this computer has no address "{host}"', "Correct the address in web.listen."],
    tls_key_mismatch: [
      'web.tls_key "{key}" does not match web.tls_cert "{cert}"',
      "Set web.tls_key to the key of this certificate.",
    ],
    tls_cert_unusable: [
      'web.tls_cert "{cert}" does not contain a usable certificate: {reason}',
      "Set web.tls_cert to a certificate in PEM format.",
    ],
    tls_key_unusable: [
      'web.tls_key "{key}" does not contain a usable key: {reason}',
      "Set web.tls_key to a private key in PEM format without a passphrase.",
    ],
    pocketbase_too_old: [
      "it is not PocketBase 0.32 or later",
      "Older versions let the account of a computer read other computers' jobs. On the server: pocketbase update.",
    ],
    pocketbase_unprepared: [
      "it lacks collections of image-transfer",
      "Create them, as a superuser: image-transfer pocketbase setup --email root@example.org",
    ],
  }),
  ...causes("internal", {
    curl_memory: ["curl ran out of memory", RETRIED],
    ledger_damaged: [
      "it is damaged",
      "Restart image-transfer: the damaged ledger is moved aside and a new one is filled from the destinations.",
    ],
  }),
} as const;
