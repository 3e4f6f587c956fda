import { useState } from 'react';
import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../../shared/graphql';
import { Chart } from '../parts/chart';
import { money, times } from '../parts/format';
import { Page } from '../parts/page';
import { Empty, Failed, Skeletons } from '../parts/states';
import { Link, paths } from '../router';
import { more, w } from '../words';
import '../style/analytics.css';

const Analytics = graphql(`
  query Analytics($size: WindowSize!, $last: Int!) {
    viewer {
      analytics {
        views(size: $size, last: $last) { views reach windows { startsAt views viewers } }
        topPosts(first: 5, size: $size, last: $last) { views post { id text likeCount commentCount } }
        sales(size: $size, last: $last) {
          orders units revenue { amount currency } returnedUnits refunded { amount currency }
          windows { startsAt units revenue { amount currency } }
        }
        topProducts(first: 5, size: $size, last: $last) { units revenue { amount currency } product { id title } }
      }
    }
  }
`);

type Shown = NonNullable<ResultOf<typeof Analytics>['viewer']>['analytics'];

const SPANS = [
  { size: 'MINUTE', last: 60 },
  { size: 'HOUR', last: 24 },
  { size: 'DAY', last: 30 },
] as const;

/** What only they may know: how often their posts are seen, what they sell. */
export function AnalyticsPage() {
  const [span, choose] = useState<(typeof SPANS)[number]>(SPANS[1]);
  const { size, last } = span;
  const [{ data, error, fetching }, ask] = useQuery({
    query: Analytics,
    variables: { size, last },
    requestPolicy: 'cache-and-network',
  });
  const found = data?.viewer?.analytics;
  const again = () => ask({ requestPolicy: 'network-only' });
  return (
    <Page title={w.analytics}>
      <div className="spans" role="group" aria-label={more.span}>
        {SPANS.map((each) => (
          <button
            key={each.size}
            type="button"
            className="chip"
            aria-pressed={each === span}
            onClick={() => choose(each)}
          >
            {more.spans[each.size]}
          </button>
        ))}
        <button type="button" className="chip chip-end" onClick={again} disabled={fetching}>
          {more.refresh}
        </button>
      </div>
      {found ? (
        <Figures found={found} />
      ) : fetching ? (
        <Skeletons count={3} />
      ) : (
        error && <Failed error={error} retry={again} />
      )}
    </Page>
  );
}

function Figures({ found }: { found: Shown }) {
  const { views, topPosts, sales, topProducts } = found;
  return (
    <>
      <section className="figures" aria-label={more.views}>
        <h2>{more.yourPosts}</h2>
        <dl className="numbers">
          <Figure name={more.views} value={times(views?.views)} />
          <Figure name={more.peopleReached} value={times(views?.reach)} />
        </dl>
        {views && (
          <Chart
            title={more.views}
            told={more.barViews}
            bars={views.windows.map(({ startsAt, views }) => ({ startsAt, value: views }))}
          />
        )}
        <ol className="ranking" aria-label={more.mostViewed}>
          {topPosts?.map(
            ({ post, views }) =>
              post && (
                <li key={post.id}>
                  <Link to={paths.post(post.id)}>{post.text}</Link>
                  <span className="quiet">
                    {more.viewsAndResponses(
                      times(views),
                      times((post.likeCount ?? 0) + (post.commentCount ?? 0)),
                    )}
                  </span>
                </li>
              ),
          )}
        </ol>
      </section>
      <section className="figures" aria-label={more.salesTitle}>
        <h2>{more.yourSales}</h2>
        {!sales?.length && <Empty title={more.nothingSold} />}
        {sales?.map(({ orders, units, revenue, returnedUnits, refunded, windows }) => (
          <div key={revenue.currency}>
            <dl className="numbers">
              <Figure name={w.orders} value={times(orders)} />
              <Figure name={more.pieces} value={times(units)} />
              <Figure name={more.revenue} value={money(revenue)} />
              {returnedUnits > 0 && (
                <Figure name={more.refundedPieces(returnedUnits)} value={money(refunded)} />
              )}
            </dl>
            <Chart
              title={more.revenueIn(revenue.currency)}
              shown={(value) => money({ amount: String(value), currency: revenue.currency })}
              bars={windows.map(({ startsAt, revenue }) => ({
                startsAt,
                value: Number(revenue.amount),
              }))}
            />
          </div>
        ))}
        <ol className="ranking" aria-label={more.mostSold}>
          {topProducts?.map(
            ({ product, units, revenue }) =>
              product && (
                <li key={product.id}>
                  <Link to={paths.product(product.id)}>{product.title}</Link>
                  <span className="quiet">{more.piecesFor(times(units), money(revenue))}</span>
                </li>
              ),
          )}
        </ol>
      </section>
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
