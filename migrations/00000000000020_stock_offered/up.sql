-- What products that are there were offered with. A product whose stock changes meanwhile has another version then, and stays without.
UPDATE products p SET stock_offered = offered.units
FROM (SELECT o.id, o.version, o.stock + coalesce(sum(r.quantity), 0)::integer AS units
      FROM products o LEFT JOIN reservations r ON r.product_id = o.id AND r.status IN ('HELD', 'SOLD')
      GROUP BY o.id) offered
WHERE offered.id = p.id AND offered.version = p.version AND p.stock_offered IS NULL;
