/** The mint store: whether the chain has the standard inflation, and what it has made so far. */
import { MinterSchema, ParamsSchema } from '#proto/gen/cosmos/mint/v1beta1/mint_pb.ts';
import { intValue } from '../../state/codecs.ts';
import { item, storeLayout } from '../../state/collections.ts';
import { protoValue } from '../../state/proto-value.ts';
import { rememberedValue } from '../../state/remembered.ts';

export const MINT_STORE = 'mint';
export const MINT_ACCOUNT = 'mint';

const layout = storeLayout(MINT_STORE, { minter: 0x00, params: 0x01, minted: 0x02 });
/** Present: the chain has this inflation. */
export const minter = item(layout.minter, protoValue(MinterSchema));
export const mintParams = item(layout.params, rememberedValue(protoValue(ParamsSchema)));
/** Of the mint's denomination, since the first genesis. */
export const mintedTokens = item(layout.minted, intValue);
