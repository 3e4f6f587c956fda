import { useEffect, useState, type SubmitEvent } from 'react';
import { fieldOf } from '../../shared/form';
import { graphql } from '../../shared/graphql';
import { usePages } from '../api/use-pages';
import { Page } from '../parts/page';
import { ProductCardFragment } from '../parts/product-card';
import { Products } from '../parts/products';
import { Empty } from '../parts/states';
import { navigate } from '../router';
import { more, w } from '../words';
import '../style/shop.css';

const Shop = graphql(
  `
    query Shop($first: Int!, $after: String, $orderBy: ProductOrder!, $price: ProductPriceInput) {
      products(first: $first, after: $after, orderBy: $orderBy, price: $price) {
        edges { cursor node { id ...ProductCard } }
        pageInfo { endCursor hasNextPage }
      }
    }
  `,
  [ProductCardFragment],
);

const ORDERS = ['NEWEST', 'PRICE_ASCENDING', 'PRICE_DESCENDING'] as const;
/** The currencies of plaza, with their digits after the point: prices of two have no order. */
const DIGITS = { EUR: 2, USD: 2, GBP: 2, JPY: 0 } as const;
type Currency = keyof typeof DIGITS;
const CURRENCIES = Object.keys(DIGITS) as Currency[];

interface Wanted {
  order: (typeof ORDERS)[number];
  currency: Currency;
  from: string;
  to: string;
}

/** What is wanted is in the address, so that it can be shared and is there after a reload. */
function wantedByAddress(): Wanted {
  const given = new URLSearchParams(location.search);
  const of = (name: string) => given.get(name) ?? '';
  return {
    order: ORDERS.find((each) => each === of('order')) ?? 'NEWEST',
    currency: CURRENCIES.find((each) => each === of('currency')) ?? 'EUR',
    from: of('from'),
    to: of('to'),
  };
}

function addressOf({ order, currency, from, to }: Wanted): string {
  if (order === 'NEWEST') return '/shop';
  const said = { order, currency, ...(from && { from }), ...(to && { to }) };
  return `/shop?${new URLSearchParams(said)}`;
}

/** A price as it is typed, in minor units; null for what is none, which limits nothing. */
function minorUnits(text: string, currency: Currency): string | null {
  const amount = Math.round(Number(text) * 10 ** DIGITS[currency]);
  return text.trim() !== '' && amount >= 0 && amount <= 1e12 ? `${amount}` : null;
}

/** How long nothing is typed before plaza is asked. */
const PAUSE_MS = 300;

export function ShopPage() {
  const [wanted, want] = useState(wantedByAddress);
  const [asked, ask] = useState(wanted);
  useEffect(() => {
    const timer = setTimeout(() => {
      ask(wanted);
      history.replaceState(history.state, '', addressOf(wanted));
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  const { order, currency, from, to } = asked;
  const min = minorUnits(from, currency);
  const max = minorUnits(to, currency);
  const pages = usePages({
    query: Shop,
    variables: {
      first: 24,
      orderBy: order,
      price: order === 'NEWEST' ? null : { currency, min, max },
    },
    connection: (data) => data.products,
  });
  const isLimited = order !== 'NEWEST';
  return (
    <Page title={w.shop}>
      <ShopSearch />
      <ShopOrder wanted={wanted} want={want} />
      <Products
        pages={pages}
        empty={
          isLimited ? (
            <Empty title={more.nothingAtThisPrice} />
          ) : (
            <Empty title={more.nothingForSale}>{more.nothingForSaleWhy}</Empty>
          )
        }
      />
    </Page>
  );
}

/** In which order, and for an order by price, of which prices. */
function ShopOrder({ wanted, want }: { wanted: Wanted; want: (wanted: Wanted) => void }) {
  const { order, currency } = wanted;
  const names = {
    NEWEST: more.newestFirst,
    PRICE_ASCENDING: more.lowestFirst,
    PRICE_DESCENDING: more.highestFirst,
  };
  const price = (name: 'from' | 'to', label: string) => (
    <label className="field">
      <span>{label}</span>
      <input
        type="number"
        inputMode="decimal"
        name={name}
        min={0}
        step={DIGITS[currency] === 0 ? 1 : 0.01}
        value={wanted[name]}
        onChange={({ target }) => want({ ...wanted, [name]: target.value })}
      />
    </label>
  );
  return (
    <div className="shop-order">
      <div className="choices" role="group" aria-label={more.orderOfShop}>
        {ORDERS.map((each) => (
          <button
            key={each}
            type="button"
            className="chip"
            aria-pressed={order === each}
            onClick={() => want({ ...wanted, order: each })}
          >
            {names[each]}
          </button>
        ))}
      </div>
      {order !== 'NEWEST' && (
        <div className="shop-prices">
          <label className="field">
            <span>{more.currency}</span>
            <select
              name="currency"
              value={currency}
              onChange={({ target }) =>
                want({
                  ...wanted,
                  currency: CURRENCIES.find((each) => each === target.value) ?? currency,
                })
              }
            >
              {CURRENCIES.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          </label>
          {price('from', more.priceFrom)}
          {price('to', more.priceTo)}
        </div>
      )}
    </div>
  );
}

/** From browsing to looking for something: what is found is on the page of the search. */
function ShopSearch() {
  const look = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const query = fieldOf(new FormData(event.currentTarget), 'q').trim();
    navigate(`/search?${new URLSearchParams({ ...(query && { q: query }), in: 'products' })}`);
  };
  return (
    <form className="search search-line" role="search" onSubmit={look}>
      <input
        type="search"
        name="q"
        aria-label={more.searchShop}
        placeholder={more.searchShop}
        maxLength={200}
      />
      <button type="submit" className="button button-quiet">
        {w.search}
      </button>
    </form>
  );
}
