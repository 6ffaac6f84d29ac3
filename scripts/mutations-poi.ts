/** Safety checks of proof of intelligence and of burn and mint. */
import type { Mutation } from './mutation.ts';

const jobs = (name: string) => ({ project: 'unit', file: 'runtime/modules/poi/jobs.test.ts', name }) as const;
const proposals = (name: string) => ({ project: 'unit', file: 'runtime/modules/poi/injection.test.ts', name }) as const;
const credits = (name: string) =>
  ({ project: 'unit', file: 'runtime/modules/credits/settlement.test.ts', name }) as const;

export const poiMutations: readonly Mutation[] = [
  {
    name: 'an opening need not be what was committed',
    file: 'runtime/modules/poi/record.ts',
    search: 'return equal(verdictHash(author, opening), verdict.commitment) ? ok(undefined)',
    replace: 'return equal(verdictHash(author, opening), verdictHash(author, opening)) ? ok(undefined)',
    test: jobs('a commitment copied from another validator opens to nothing'),
  },
  {
    name: 'a second commitment replaces the first',
    file: 'runtime/modules/poi/record.ts',
    search:
      "return verdicts.has(scope.state.store(POI_STORE), [job, validator]) ? err('committed already') : ok(undefined);",
    replace: 'return verdicts.has(scope.state.store(POI_STORE), [job, validator]) ? ok(undefined) : ok(undefined);',
    test: jobs('a second commitment: the first recorded wins'),
  },
  {
    name: 'a majority of openings settles against one that differs',
    file: 'runtime/modules/poi/judge.ts',
    search: 'if (first !== undefined && !openings.every((opening) => sameResult(opening, first)))',
    replace: 'if (first !== undefined && !openings.some((opening) => sameResult(opening, first)))',
    test: jobs('when one validator opens another result, even against three and the provider'),
  },
  {
    name: 'openings settle without a quorum',
    file: 'runtime/modules/poi/judge.ts',
    search: 'if (first === undefined || !isQuorum(opened, powerOf(members))) return RefundReason.NO_OPENING_QUORUM;',
    replace: 'if (first === undefined || opened < 0n) return RefundReason.NO_OPENING_QUORUM;',
    test: jobs('when too few open'),
  },
  {
    name: 'the provider is paid for another result than the validators’',
    file: 'runtime/modules/poi/judge.ts',
    search: 'return sameResult(first, job.result) ? undefined : RefundReason.PROVIDER_DIFFERS;',
    replace: 'return sameResult(first, first) ? undefined : RefundReason.PROVIDER_DIFFERS;',
    test: jobs('when the provider sealed another result than the validators agree on'),
  },
  {
    name: 'the provider may open what it did not seal',
    file: 'runtime/modules/inference/handlers.ts',
    search: 'if (toHex(sealed) !== toHex(job.seal))',
    replace: 'if (sealed.length !== job.seal.length)',
    test: jobs('a provider that opens early, another result, twice, with another salt, or for somebody else'),
  },
  {
    name: 'signatures of extensions are not checked',
    file: 'runtime/modules/poi/injection.ts',
    search: 'if (!verifySignature(context.verifier, publicKeyOf(validator), signed, vote.extensionSignature))',
    replace: 'if (signed.length === 0)',
    test: proposals('with a changed extension is refused'),
  },
  {
    name: 'a proposal may leave the injection out',
    file: 'runtime/modules/poi/injection.ts',
    search: "if (payload === undefined) return expected ? err('injection: missing') : ok(undefined);",
    replace: 'if (payload === undefined) return expected ? ok(undefined) : ok(undefined);',
    test: proposals('without the injection is refused, and the first block with one'),
  },
  {
    name: 'powers of the injection are not those of the state',
    file: 'runtime/modules/poi/injection.ts',
    search: 'if (validator.power !== vote.power)',
    replace: 'if (validator.power < 0n)',
    test: proposals('with powers that both lists forge is refused by the validators in state'),
  },
  {
    name: 'an opening leaves before the reveal',
    file: 'runtime/modules/poi/extension.ts',
    search: 'openings: ready.value.openings.filter(({ job }) => waits(job, JobStatus.REVEALING)),',
    replace: 'openings: ready.value.openings.filter(({ job }) => job >= 0n),',
    test: proposals('carries what is due, and leaves out what the chain does not wait for'),
  },
  {
    name: 'settlement forgets to burn the credits',
    file: 'runtime/modules/credits/settlement.ts',
    search: 'outstanding: before.outstanding - credits,',
    replace: 'outstanding: before.outstanding,',
    test: credits('any history of purchases and settlements keeps the supply equation'),
  },
  {
    name: 'whoever settles first drains the pool',
    file: 'runtime/modules/credits/settlement.ts',
    search: 'return minBig(atPrice, divFloor(credits * pool.pool, pool.outstanding));',
    replace: 'return minBig(atPrice, pool.pool);',
    test: credits('never pays more than the credits’ part of the pool'),
  },
  {
    name: 'an opening that its commitment does not bind is sent',
    file: 'node/duties/duties.ts',
    search: 'else this.#warnOnce(job.id,',
    replace: 'else openings.push({ job: job.id, ...opening }), this.#warnOnce(job.id,',
    test: {
      project: 'unit',
      file: 'node/duties/duties.test.ts',
      name: 'a commitment that another secret made cannot be opened, and the operator is told once',
    },
  },
];
