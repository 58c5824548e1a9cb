/**
 * The five documents that this program replaces, as they were handed over (the `.md` files beside this one), and what becomes of every
 * command line in them.
 */

/** A line or block of code in a document. */
export interface Code {
  /** `1` to `5`. */
  readonly document: string;
  readonly language: string;
  readonly text: string;
}

const NAMES = [
  "1-image-transfer-daemon",
  "2-sync-daemon-pocketbase",
  "3-ftp-directory-monitor",
  "4-file-system-monitor",
  "5-file-transfer-agent",
];

/** All fenced blocks of all documents, in their order. */
export async function blocks(): Promise<Code[]> {
  const found: Code[] = [];
  for (const name of NAMES) {
    const text = await Deno.readTextFile(new URL(`${name}.md`, import.meta.url));
    for (const [, indent = "", language = "", body = ""] of text.matchAll(/^([ ]*)```(\w*)\n([\s\S]*?)^\1```$/gm)) {
      found.push({ document: name[0]!, language, text: body.replaceAll(new RegExp(`^${indent}`, "gm"), "") });
    }
  }
  return found;
}

const SHELLS = ["bash", "powershell", "cmd", "batch"];

/** Every command line of all documents, also those outside of blocks of code; comments left out. */
export async function commandLines(): Promise<Code[]> {
  const inBlocks = (await blocks()).filter(({ language }) => SHELLS.includes(language)).flatMap(({ text, ...block }) =>
    text.split("\n").map((line) => line.replace(/\s+# .*$/, "").trim()).filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => ({ ...block, text: line }))
  );
  const agent = await Deno.readTextFile(new URL(`${NAMES[4]}.md`, import.meta.url));
  const bare = agent.split("\n").filter((line) => /^(python -m )?uvicorn /.test(line));
  return [...inBlocks, ...bare.map((text) => ({ document: "5", language: "bash", text }))];
}

const PREPARES = [
  "git clone <repo>",
  "cd image-transfer-daemon",
  "conda create --prefix .conda python=3.11",
  "conda activate ./.conda",
  "conda activate .\\.conda",
  "python3 -m venv venv",
  "source venv/bin/activate",
  'pip install -e ".[dev]"',
  "pip install .",
  "pip install build",
  "pytest",
  "pytest --cov=image_transfer",
  "pytest tests/test_daemon.py",
  "black src/",
  "ruff check src/",
  "python -m build",
];

/** What becomes of each line; a line of a document that is in none of these lists, and a line here that is in no document, is a failure. */
export const LINES = {
  /** Run here as they are written, against the program; `seeds_test.ts` has what each must do. */
  run: {
    1: [
      "image-transfer --help",
      "image-transfer --create-config",
      "image-transfer --dry-run",
      "image-transfer",
      "image-transfer -v",
      "image-transfer -c /path/to/config.yaml",
      "image-transfer-service --install",
      "sudo image-transfer-service --install",
      "image-transfer-service --uninstall",
      "sudo image-transfer-service --uninstall",
      "ps aux | grep image-transfer",
      "tail -n 50 ~/logs/image_transfer.log",
      "tail -f ~/logs/image_transfer.log",
      'grep "Successfully transferred" ~/logs/image_transfer.log',
      'grep "Failed to transfer" ~/logs/image_transfer.log',
      'grep "Successfully transferred" ~/logs/image_transfer.log | grep "$(date +%Y-%m-%d)" | wc -l',
      'echo "=== Transfer Statistics ==="',
      'echo "Total transfers: $(grep -c "Successfully transferred" ~/logs/image_transfer.log)"',
      'echo "Failed transfers: $(grep -c "Failed to transfer" ~/logs/image_transfer.log)"',
      'echo "Today\'s transfers: $(grep "Successfully transferred" ~/logs/image_transfer.log | grep "$(date +%Y-%m-%d)" | wc -l)"',
      'grep "Successfully transferred" ~/logs/image_transfer.log | grep "$(date +%Y-%m-%d)" | awk \'{print $NF}\'',
    ],
    2: [
      "./target/release/sync-daemon start --pocketbase-url http://localhost:8090",
      'sync-daemon install --service-name "SyncDaemon" --description "File Sync Daemon"',
      'sudo sync-daemon install --service-name "sync-daemon" --description "File Sync Daemon"',
      'sync-daemon install --service-name "my-sync" --description "My Sync Service"',
      'sync-daemon uninstall --service-name "my-sync"',
      "sync-daemon config generate --output sync-daemon.toml",
      "sync-daemon config generate --output config.toml",
      "sync-daemon config validate",
      "sync-daemon config show",
      "sync-daemon start --foreground",
      "sync-daemon start --foreground --log-level debug",
      "sync-daemon start --config /path/to/config.toml",
      "sync-daemon status",
      "sync-daemon stop",
      "sync-daemon restart",
    ],
    3: [
      "ps aux | grep ftpmonitor",
      "cat /var/run/ftpmonitor.pid",
      "tail -f /var/log/ftpmonitor.log",
      "ls -l /var/run/ftpmonitor.pid",
      "ls -l /var/log/ftpmonitor.log",
      "sudo kill $(cat /var/run/ftpmonitor.pid)",
    ],
    4: [],
    5: [],
  },
  /** Programs of the system, which name the service: held against what `install-service` makes. Run for real in `tests/labs`. */
  service: {
    1: [
      "sudo systemctl enable image-transfer.service",
      "sudo systemctl start image-transfer.service",
      "sudo systemctl stop image-transfer.service",
      "sudo systemctl restart image-transfer.service",
      "sudo systemctl status image-transfer.service",
      "sudo systemctl disable image-transfer.service",
      "sudo journalctl -u image-transfer.service",
      "sudo journalctl -u image-transfer.service -f",
      "sudo journalctl -u image-transfer.service --since today",
      'sudo journalctl -u image-transfer.service --since "1 hour ago"',
      "launchctl load ~/Library/LaunchAgents/com.observatory.imagetransfer.plist",
      "launchctl unload ~/Library/LaunchAgents/com.observatory.imagetransfer.plist",
      "launchctl list | grep imagetransfer",
      "launchctl start com.observatory.imagetransfer",
      "launchctl stop com.observatory.imagetransfer",
      "Start-ScheduledTask -TaskName ImageTransferDaemon",
      "Stop-ScheduledTask -TaskName ImageTransferDaemon",
      "Get-ScheduledTask -TaskName ImageTransferDaemon",
      "Get-ScheduledTask -TaskName ImageTransferDaemon | Get-ScheduledTaskInfo",
      "Unregister-ScheduledTask -TaskName ImageTransferDaemon -Confirm:$false",
    ],
    2: ["sudo systemctl status sync-daemon", "sudo journalctl -u sync-daemon -f", "sudo launchctl list | grep sync-daemon"],
    3: [
      "sudo systemctl enable ftpmonitor",
      "sudo systemctl start ftpmonitor",
      "launchctl load ~/Library/LaunchAgents/com.user.ftpmonitor.plist",
    ],
    4: [
      "sudo systemctl enable file-monitor",
      "sudo systemctl start file-monitor",
      "sudo systemctl status file-monitor",
      "sudo systemctl stop file-monitor",
      "sudo systemctl restart file-monitor",
      "sudo journalctl -u file-monitor",
    ],
    5: [],
  },
  /** `scripts/manage-daemon.ps1`: its actions, and the commands of the program that it calls. */
  script: {
    1: [
      ".\\scripts\\manage-daemon.ps1 start",
      ".\\scripts\\manage-daemon.ps1 stop",
      ".\\scripts\\manage-daemon.ps1 status",
      ".\\scripts\\manage-daemon.ps1 logs",
    ],
  },
  /** PowerShell that reads the log: held against where the log is on Windows, and what stands in it. */
  windowsLog: {
    1: [
      "Get-Content $env:USERPROFILE\\logs\\image_transfer.log -Tail 50",
      "Get-Content $env:USERPROFILE\\logs\\image_transfer.log -Wait",
      'Select-String -Path $env:USERPROFILE\\logs\\image_transfer.log -Pattern "Successfully transferred"',
      'Select-String -Path $env:USERPROFILE\\logs\\image_transfer.log -Pattern "Failed to transfer"',
      '(Select-String -Path $env:USERPROFILE\\logs\\image_transfer.log -Pattern "Successfully transferred" | Where-Object {$_.Line -like "*$(Get-Date -Format yyyy-MM-dd)*"}).Count',
    ],
  },
  /** OpenSSH and the system alone, which work whatever this program does. */
  system: {
    1: [
      "ssh-keygen -t rsa -b 4096",
      "ssh-keygen -t rsa -b 4096 -f $env:USERPROFILE\\.ssh\\id_rsa",
      'type $env:USERPROFILE\\.ssh\\id_rsa.pub | ssh user@remote-host "mkdir -p ~/.ssh && cat >> ~/.ssh/authorized_keys"',
      "ssh-copy-id user@remote-host",
      "ssh user@remote-host \"echo 'Connection successful'\"",
      'ssh user@remote-host "ls -la /path/to/remote/directory"',
    ],
    3: ["@echo off"],
    4: ["sudo chown -R your_username:your_group /path/to/watch", "chmod 755 /path/to/watch"],
  },
  /** These have no meaning here: docs/migrating.md names each of them. */
  noted: {
    1: [...PREPARES, "tasklist | findstr python", "log show --predicate 'process == \"image-transfer\"' --last 1h"],
    2: [
      "cargo build --release -p sync-daemon",
      "cargo test -p sync-daemon",
      "git clone <repository-url>",
      "cd sync-app",
      "tail -f /var/log/sync-daemon.out",
    ],
    3: [
      "pip install watchdog python-daemon",
      "git clone <repository_url>",
      "cd <project_directory>",
      "sudo nano /etc/systemd/system/ftpmonitor.service",
      "nano ~/Library/LaunchAgents/com.user.ftpmonitor.plist",
      'python "C:\\path\\to\\monitor.py" "C:\\path\\to\\watch" host port /remote/dir',
      "sudo python3 ftpmonitor_daemon.py /path/to/watch host port /remote/dir",
    ],
    4: [
      "git clone <repository-url>",
      "cd filesystem-monitor-daemon",
      "python -m venv venv",
      "venv\\Scripts\\activate",
      "python3 -m venv venv",
      "source venv/bin/activate",
      "pip install -r requirements.txt",
      "python daemon_script.py",
      "sudo nano /etc/systemd/system/file-monitor.service",
    ],
    5: ["pip install -r requirements.txt", "uvicorn app.main:app --reload", "python -m uvicorn app.main:app --reload"],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<number, readonly string[]>>>>;

/** `1 image-transfer -v`: the lines of the lists with the numbers of their documents. */
export function listed(list: Readonly<Record<number, readonly string[]>>): string[] {
  return Object.entries(list).flatMap(([document, lines]) => lines.map((line) => `${document} ${line}`));
}
