// gorsejs and @segment/analytics-node as npm has them, against a server of our own with a real database.
//   FEWSHOP=build/release/fewshop node --test clients.test.mjs
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Analytics } from "@segment/analytics-node";
import gorsejs from "gorsejs";

const folder = mkdtempSync(join(tmpdir(), "fewshop-clients-"));
let server, url, gorse;

before(async () => {
  server = spawn(process.env.FEWSHOP, ["serve", "--data", join(folder, "shop.db"), "--port", "0", "--set", "server.log=" + join(folder, "log")]);
  url = await new Promise((resolve, reject) => {
    let said = "";
    server.stderr.on("data", (text) => {
      said += text;
      const found = said.match(/http:\/\/[\d.]+:\d+/);
      if (found) resolve(found[0]);
    });
    server.on("exit", () => reject(new Error("the server ended: " + said)));
  });
  gorse = new gorsejs.Gorse({ endpoint: url, secret: "" });
});

after(async () => {
  const ended = new Promise((resolve) => server.on("exit", resolve));
  server.kill("SIGTERM");
  assert.equal(await ended, 0);
  rmSync(folder, { recursive: true });
});

const timestamp = "2022-08-07T00:26:46Z";
const ids = (list) => list.map((entry) => entry.Id);

test("gorsejs: users", async () => {
  assert.equal(await gorse.insertUser({ UserId: "100", Labels: ["a", "b", "c"], Comment: "comment" }), 1);
  const user = await gorse.getUser("100");
  assert.equal(user.UserId, "100");
  assert.deepEqual(user.Labels, ["a", "b", "c"]);
  assert.equal(user.Comment, "comment");
  assert.equal(await gorse.updateUser("100", { Comment: "changed" }), 1);
  assert.equal((await gorse.getUser("100")).Comment, "changed");
  assert.equal(await gorse.insertUsers([{ UserId: "101" }, { UserId: "102" }]), 2);
  const page = await gorse.getUsers({ n: 2 });
  assert.equal(page.Users.length, 2);
  const next = await gorse.getUsers({ n: 2, Cursor: page.Cursor });
  assert.equal(next.Users.length, 1);
  assert.equal(await gorse.deleteUser("100"), 1);
  await assert.rejects(gorse.getUser("100"), gorsejs.GorseException);
});

test("gorsejs: items", async () => {
  const item = { ItemId: "100", IsHidden: true, Labels: ["a", "b", "c"], Categories: ["d", "e"], Timestamp: timestamp, Comment: "comment" };
  assert.equal(await gorse.upsertItem(item), 1);
  assert.deepEqual(await gorse.getItem("100"), item);
  assert.equal(await gorse.updateItem("100", { IsHidden: false }), 1);
  assert.equal((await gorse.getItem("100")).IsHidden, false);
  assert.equal(await gorse.insertItemCategory("100", "f"), 1);
  assert.equal(await gorse.deleteItemCategory("100", "d"), 1);
  assert.deepEqual((await gorse.getItem("100")).Categories, ["e", "f"]);
  assert.equal(await gorse.upsertItems([{ ...item, ItemId: "101" }, { ...item, ItemId: "a/b c" }]), 2);
  assert.equal((await gorse.getItems({ n: 10 })).Items.length, 3);
  assert.equal(await gorse.deleteItem("100"), 1);
  await assert.rejects(gorse.getItem("100"), gorsejs.GorseException);
});

test("gorsejs: feedback", async () => {
  const feedback = [
    { FeedbackType: "like", UserId: "1", ItemId: "x", Timestamp: timestamp },
    { FeedbackType: "read", UserId: "1", ItemId: "y", Timestamp: timestamp },
    { FeedbackType: "read", UserId: "2", ItemId: "y", Timestamp: timestamp },
  ];
  assert.equal(await gorse.insertFeedbacks(feedback), 3);
  assert.equal(await gorse.insertFeedbacks(feedback), 0); // sent again: duplicates
  assert.equal((await gorse.getFeedback({ type: "like", userId: "1", itemId: "x" })).Timestamp, timestamp);
  assert.equal((await gorse.getFeedbacks("read", { n: 10 })).Feedbacks.length, 2);
  assert.equal((await gorse.getFeedbacks(undefined, { n: 2 })).Feedback.length, 2);
  assert.equal((await gorse.getUserFeedback("1")).length, 2);
  assert.equal((await gorse.getUserFeedbackByType("1", "like")).length, 1);
  assert.equal((await gorse.getItemFeedback("y")).length, 2);
  assert.equal((await gorse.getItemFeedbackByType("y", "read")).length, 2);
  assert.equal(await gorse.upsertFeedbacks([{ ...feedback[0], Timestamp: "2022-08-08T00:00:00Z" }]), 1);
  assert.equal((await gorse.getUserFeedbackByType("1", "like")).length, 1);
  assert.deepEqual(await gorse.deleteFeedback({ type: "like", userId: "1", itemId: "x" }), { RowAffected: 1 });
  await assert.rejects(gorse.getFeedback({ type: "like", userId: "1", itemId: "x" }), gorsejs.GorseException);
});

test("gorsejs: lists", async () => {
  assert.equal(ids(await gorse.getPopular({}))[0], "y");
  assert.ok(ids(await gorse.getLatest({ cursorOptions: { n: 3 } })).length <= 3);
  await gorse.upsertItem({ ItemId: "in d", IsHidden: false, Categories: ["d"], Timestamp: "2030-01-01T00:00:00Z" });
  assert.deepEqual(ids(await gorse.getLatest({ category: "d" })), ["in d"]);
  const recommended = await gorse.getRecommend({ userId: "2", cursorOptions: { n: 2 } });
  assert.ok(recommended.length > 0 && recommended.every((id) => typeof id === "string"));
  await gorse.insertFeedbacks([{ FeedbackType: "read", UserId: "2", ItemId: "z", Timestamp: timestamp },
    { FeedbackType: "read", UserId: "3", ItemId: "z", Timestamp: timestamp }, { FeedbackType: "read", UserId: "3", ItemId: "y", Timestamp: timestamp }]);
  assert.deepEqual(ids(await gorse.getItemNeighbors({ itemId: "z" })), ["y"]);
  assert.equal(ids(await gorse.getUserNeighbors({ userId: "2" }))[0], "3");
  const session = await gorse.getSessionRecommend([{ FeedbackType: "like", UserId: "400", ItemId: "y", Timestamp: timestamp }]);
  assert.ok(session.every((entry) => typeof entry.Id === "string" && typeof entry.Score === "number"));
});

test("gorsejs: what was shown can be written back", async () => {
  const shown = await gorse.getRecommend({ userId: "7", writeBackType: "seen", writeBackDelay: "10m", cursorOptions: { n: 1 } });
  const stored = await gorse.getUserFeedbackByType("7", "seen");
  assert.deepEqual(stored.map((one) => one.ItemId), shown);
  assert.ok(new Date(stored[0].Timestamp) > new Date(Date.now() + 9 * 60_000));
});

test("@segment/analytics-node", async () => {
  const failures = [];
  const analytics = new Analytics({ writeKey: "key", host: url, path: "/v1/batch", maxRetries: 0 });
  analytics.on("error", (error) => failures.push(error));
  analytics.track({ anonymousId: "guest", event: "Product Viewed", messageId: "m1", properties: { product_id: "sku", price: 3 } });
  analytics.track({ userId: "s1", event: "Order Completed", properties: { order_id: "o", products: [{ product_id: "sku" }, { product_id: "other", quantity: 2 }] } });
  analytics.identify({ userId: "s2", anonymousId: "guest", traits: { plan: "gold" } });
  analytics.page({ userId: "s1", name: "Home" });
  analytics.group({ userId: "s1", groupId: "g" });
  analytics.alias({ userId: "s3", previousId: "older" });
  await analytics.closeAndFlush();
  assert.deepEqual(failures, []);
  const purchases = await gorse.getUserFeedbackByType("s1", "purchase");
  assert.deepEqual(purchases.map((one) => one.ItemId).sort(), ["other", "sku"]);
  assert.equal((await gorse.getUserFeedbackByType("s2", "view_item"))[0].ItemId, "sku"); // the guest is s2
  assert.equal((await gorse.getUser("s2")).Labels.plan, "gold");
});

// Last: the first key closes the server for all who have none.
test("keys: each client sends its own", async () => {
  const database = join(folder, "shop.db");
  const key = (name, ...allow) =>
    execFileSync(process.env.FEWSHOP, ["key", "create", name, "--allow", allow.join(","), "--data", database], { stdio: ["ignore", "pipe", "ignore"] }).toString().trim();
  const reader = key("gorse", "data:read", "data:write", "recommend"), writer = key("segment", "events:write");
  await assert.rejects(gorse.getUser("s2"), gorsejs.GorseException);
  const keyed = new gorsejs.Gorse({ endpoint: url, secret: reader });
  assert.equal((await keyed.getUser("s2")).Labels.plan, "gold");
  await assert.rejects(new gorsejs.Gorse({ endpoint: url, secret: writer }).getUser("s2"), gorsejs.GorseException);
  const send = async (writeKey) => {
    const failures = [];
    const analytics = new Analytics({ writeKey, host: url, path: "/v1/batch", maxRetries: 0 });
    analytics.on("error", (error) => failures.push(error));
    analytics.track({ userId: "s9", event: "Product Viewed", properties: { product_id: "keyed" } });
    await analytics.closeAndFlush();
    return failures.length;
  };
  assert.equal(await send(writer), 0);
  assert.equal((await keyed.getUserFeedbackByType("s9", "view_item"))[0].ItemId, "keyed");
  assert.notEqual(await send(reader), 0);
  assert.notEqual(await send("fs_wrong"), 0);
  assert.equal((await keyed.getUserFeedbackByType("s9", "view_item")).length, 1);
});
