/**
 * Segment: every customer, free to enterprise.
 * Goal: each plan gives what it says, each charge is exact and happens once, and no limit can be passed.
 * Value: a customer is billed for what was agreed and used, and told which plan helps when it is not enough.
 * Strategic impact: plans and credits are the business model; a leak in either direction costs money or trust.
 */
import { suite } from '@netra/testkit';
import { beforeAll, describe } from 'vitest';
import { allocation } from './credits/allocation.ts';
import { billing } from './credits/billing.ts';
import { deduction } from './credits/deduction.ts';
import { refunds } from './credits/refunds.ts';
import { grants } from './credits/grants.ts';
import { enforcement } from './credits/enforcement.ts';
import { spending } from './credits/spending.ts';
import { openStage, type Stage } from './credits/stage.ts';

const home = suite();
let stage: Stage;
beforeAll(async () => {
  stage = await openStage(home);
});

describe('credits-1: allocation by plan', () => allocation(() => stage));
describe('credits-1: credits beside the plan', () => grants(() => stage));
describe('credits-2: deduction', () => deduction(() => stage));
describe('credits-2: refunds, debts, lines, wallets and the chain', () => refunds(() => stage));
describe('credits-3: enforcement', () => enforcement(() => stage));
describe('credits-3: what an organisation allows itself', () => spending(() => stage));
describe('credits-4: billing', () => billing(() => stage));
