/** The owner's connection, as `withOwner` gives it. */
interface Connection {
  query(text: string, values: readonly unknown[]): Promise<{ readonly rows: readonly object[] }>;
}

/** Leaves the organisation's latest run as retention does when it has cut the first four events of it. */
export async function cutLatestRun(client: Connection, org_id: string): Promise<void> {
  const { rows } = await client.query(
    `update netra.run set cut_seq = 4, epoch = epoch + 1
      where run_id = (select run_id from netra.run where org_id = $1 and ended_at is not null order by run_id desc limit 1)
      returning run_id`,
    [org_id],
  );
  const [run] = rows as readonly { readonly run_id: string }[];
  if (run === undefined) throw new Error('The organisation has no run that has ended.');
  await client.query('delete from netra.event where run_id = $1 and seq <= 4', [run.run_id]);
}
