/**
 * Which file systems of Linux may be flushed as a whole (`sync -f`, syncfs(2)) in place of file by file.
 *
 * @module
 */

/**
 * Their types as `stat -f -c %t` prints them. The numbers are from linux/magic.h (statfs(2) lists them too), that of ZFS from its
 * own source. Others are flushed file by file: FUSE and CIFS, for example, hand fsync(2) on to whoever keeps the data, but
 * not syncfs(2).
 */
export const SYNCED_WHOLE: readonly string[] = [
  "ef53", // ext2, ext3, ext4
  "58465342", // XFS
  "9123683e", // Btrfs
  "2fc12fc1", // ZFS
  "f2f52010", // F2FS
  "6969", // NFS: what is written back is committed at the server
  "1021994", // tmpfs
  "794c7630", // overlayfs: hands it on to the file system below
];
