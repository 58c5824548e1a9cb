import { assertEquals } from "@std/assert";
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import { needsOf } from "../../src/services/service.ts";

function needs(yaml: string) {
  const around = { platform: "linux", home: "/home/o", env: () => undefined } as const;
  return needsOf(parseSettings(yaml, "/home/o/c.yaml", "yaml", around), "/home/o");
}

Deno.test("needsOf() lets the daemon write to state, log and local destinations only", () => {
  assertEquals(needs("watch_path: /data\nremote_base_path: /mnt/nas/NIGHT/raw\ntransfer_method: local\n"), {
    writable: ["/home/o/.local/state/image-transfer", "/home/o/logs", "/mnt/nas"],
    readable: ["/data", "/home/o/c.yaml"],
  });
});

Deno.test("needsOf() adds the SSH folder for remote destinations, and watched folders for delete_source", () => {
  const yaml = "watch_path: /data\nremote_host: freya\nremote_base_path: /in\ndelete_source: true\npid_file: /run/x/pid\n";
  assertEquals(needs(yaml), {
    writable: ["/home/o/.local/state/image-transfer", "/home/o/logs", "/run/x", "/data"],
    readable: ["/home/o/c.yaml", "/home/o/.ssh"],
  });
});

Deno.test("needsOf() lets the daemon read what rclone is configured by", () => {
  const yaml = "watch_path: /data\ntransfer_method: rclone\nremote_base_path: s3remote:bucket\n";
  assertEquals(needs(yaml).readable, ["/data", "/home/o/.config/rclone", "/home/o/c.yaml"]);
  assertEquals(needs(`${yaml}rclone_config: /etc/rclone.conf\n`).readable, ["/data", "/etc/rclone.conf", "/home/o/c.yaml"]);
});
