// For the PocketBase server of image-transfer (0.24 or later): deletes log lines that are older than 90 days, every day.
// Copy it into the folder pb_hooks, beside pb_data. PocketBase loads it at once.
cronAdd("image_transfer_logs", "47 11 * * *", () => {
  const days = 90;
  const before = new Date(Date.now() - days * 86400000).toISOString().replace("T", " ");
  // In pieces: nobody else can write while one of them is deleted.
  const piece = "SELECT id FROM image_transfer_logs WHERE created < {:before} LIMIT 5000";
  for (let deleted = 5000; deleted === 5000;) {
    const query = $app.db().newQuery(`DELETE FROM image_transfer_logs WHERE id IN (${piece})`);
    deleted = query.bind({ before }).execute().rowsAffected();
  }
});
