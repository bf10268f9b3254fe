import { adviceOn, type Advice, type FaultRow } from '../platform/index.ts';

const fromBackup = 'Restore the newest backup from before that moment beside this database, and compare the row';
const triggerOff =
  'in one transaction as a superuser with `set local session_replication_role = replica`, then run doctor again';

/** Fault by fault: what must have happened, and the next step. The docs' table (docs/operate.md) is tested against it. */
const advice: Readonly<Record<string, Advice>> = {
  transfer_missing: {
    means: 'Transfers were deleted: the versions of a wallet have no gaps.',
    mend: `${fromBackup}s that it still has. Insert what is missing ${triggerOff}.`,
  },
  transfers_cut: {
    means:
      'The newest transfers were deleted, or the wallet was written by hand: it counts more movements than there are.',
    mend: `${fromBackup}s after the last that is left; the holds and grants named by this report tell what they moved. Insert what is missing ${triggerOff}.`,
  },
  transfers_beyond: {
    means:
      'The wallet was put back to an older state, or transfers were added by hand: it counts fewer than there are.',
    mend: 'Find out which is true: if holds and grants agree with the newest transfer, set the wallet to the balances after it; if they agree with the wallet, the rows beyond were added by hand and go.',
  },
  transfer_altered: {
    means:
      'This transfer was edited after it was written: its balances do not follow from the one before, and its hash is not that of its content.',
    mend: `${fromBackup}. Put it back as it was ${triggerOff}.`,
  },
  link_broken: {
    means:
      'The chain breaks here: this transfer is not what was linked (a reason, key, user, model or time can be edited without any sum changing), or the hash of this or the one before was.',
    mend: `${fromBackup} and the one before it. Put back what differs ${triggerOff}. Never compute the hash anew to make the report go away: it is the evidence.`,
  },
  head_altered: {
    means:
      'The head that the wallet carries is not the hash of its last transfer: the head was written by hand, or the newest transfers were replaced by others.',
    mend: `${fromBackup}s at the end of the chain. If the transfers are right, set head of the wallet to the hash of the last one.`,
  },
  wallet_slipped: {
    means:
      'This transfer is as it was written, and so is its link, but the balances after it do not follow: the wallet was changed by hand between the one before and this.',
    mend: 'Nothing in the history is wrong, so leave it: the difference between expected and found is what was changed by hand. Decide whether the customer keeps it; then correct wallet and grants by the difference, and keep this report with the decision.',
  },
  transfer_unbalanced: {
    means:
      'The entries of a transfer do not sum to zero, which its CHECK forbids: the constraint was dropped and the row edited.',
    mend: `${fromBackup}. Put it back ${triggerOff}, and add the constraint again (a new database has it).`,
  },
  wallet_missing: {
    means: 'Transfers of a wallet that has no row: it was deleted.',
    mend: 'Insert the wallet with the balances, version and hash of its last transfer.',
  },
  wallet_altered: {
    means:
      'The transfers can be replayed; the wallet says something else, so its row was written by hand after the last of them.',
    mend: 'Set the balances of this wallet to what is expected, as the owner of the schema, in a transaction that locks the row first (`select … for update`). No transfer is needed: nothing moved.',
  },
  hold_missing: {
    means: 'Transfers name a hold that has no row: it was deleted.',
    mend: `Insert the hold with the totals that are expected, its run and agent from its transfers, ${triggerOff}.`,
  },
  hold_unbooked: {
    means: 'A hold that no transfer opened: its row was added by hand, or its transfers were deleted.',
    mend: 'If transfers are missing as well, mend those first. If not, delete the hold and its receipts: it reserves nothing.',
  },
  hold_altered: {
    means: 'A hold says something else than its transfers.',
    mend: 'If one of its transfers is at fault too, mend that first. If not, set the totals and the state of the hold to what is expected.',
  },
  hold_of_ended_run: {
    means: 'A run has ended and its hold has not: the run was ended by hand.',
    mend: 'Settle the hold for what the log of the run shows (`netra.settle_hold`), or for 0 if no model was called.',
  },
  receipt_altered: {
    means: 'The receipt of a hold does not add up to the hold.',
    mend: 'If the hold is at fault too, mend that first. If not, set the receipt to what is expected; with several grants on it, the grants at fault tell which line.',
  },
  receipt_stray: {
    means: 'A receipt whose hold is not there.',
    mend: 'Mend the hold first (hold_missing). If no transfer names it, delete the receipt.',
  },
  grant_missing: {
    means: 'A transfer gave a grant that has no row: it was deleted.',
    mend: `Insert the grant with the totals that are expected; source, priority and expiry are in the backup. Do it ${triggerOff}.`,
  },
  grant_unbooked: {
    means: 'A grant that no transfer gave: its row was added by hand, or its transfer was deleted.',
    mend: 'If a transfer is missing, mend that first. If not, delete the grant, and give the credits with `netra.grant_credits` if they were meant.',
  },
  grant_altered: {
    means: 'A grant says something else than the transfer that gave it and the receipts that took from it.',
    mend: 'If a transfer or a receipt is at fault too, mend that first. If not, set the grant to what is expected.',
  },
  expiry_shifted: {
    means:
      'What the grants say has expired is not what was booked as expired: it was shifted between remaining and expired of a grant by hand.',
    mend: 'Look in this wallet for a grant with expired_micro > 0 that has not ended, or for one with remaining_micro > 0 that ended before the last booking; shift the difference back within its row.',
  },
  move_shifted: {
    means: 'What the grants say was moved to or from other wallets is not what was booked as moved.',
    mend: 'In each wallet, moved_micro of all grants less granted_micro of those of source `moved` is what the moved_micro of its transfers add up to; set the one that differs.',
  },
};

export function howToMend({ fault }: Pick<FaultRow, 'fault'>): Advice {
  return adviceOn(advice, fault);
}

/** Every kind of fault that has advice. */
export const faultsOfBooks = Object.keys(advice);
