import { assertEquals, assertMatch } from "@std/assert";
import { has } from "../support/needs.ts";
import { install } from "../support/daemon_process.ts";
import { rcloneConfig, startS3 } from "../support/rclone_servers.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test({
  name: "doctor delivers a small file to S3 by rclone, and names what is wrong with a remote, with the fix",
  ignore: !has("rclone", "versitygw"),
  async fn() {
    await using dir = await tempFolder();
    await Deno.mkdir(dir.at("camera"));
    await using server = await startS3(dir.at("buckets"));
    await Deno.mkdir(dir.at("buckets", "bucket"));
    const rclone_config = await rcloneConfig(dir, server.section());
    const doctor = async (remote_base_path: string) => {
      const keys = { watch_path: dir.at("camera"), transfer_method: "rclone", rclone_config, remote_base_path };
      const { code, stdout, stderr } = await (await install(dir.path, keys)).command(["doctor"]);
      return { code, text: stdout + stderr };
    };
    const good = await doctor("s3remote:bucket/images");
    assertMatch(good.text, /Connected by rclone: rclone v\S+, s3; the store's MD5/);
    assertMatch(good.text, /A small file was written/);
    assertEquals(good.code, 0, good.text);
    assertEquals(
      await Array.fromAsync(Deno.readDir(dir.at("buckets", "bucket"))).then((all) =>
        all.map(({ name }) => name).filter((name) => name !== ".sgwtmp")
      ),
      [],
    );
    const bad = await doctor("nosuch:bucket/images");
    assertEquals(bad.code, 1);
    assertMatch(bad.text, /rclone has no such remote[\s\S]*Create the remote with "rclone config"/);
  },
});
