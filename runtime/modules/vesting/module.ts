import type { RuntimeModule } from '../../module.ts';
import { vestingMessages } from './handlers.ts';

/** Its accounts stand among the others, in auth's store and genesis. */
export const vestingModule: RuntimeModule = { name: 'vesting', stores: [], messages: vestingMessages };
