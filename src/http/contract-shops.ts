/** What the API answers when an operator acts on the registration of a shop. */
import { Type } from 'typebox'

export const Invitation = Type.Object({
  shop: Type.String(),
  until: Type.String({ format: 'date-time', description: 'until then it may register without proof, once' }),
})
