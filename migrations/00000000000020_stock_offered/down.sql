UPDATE products SET stock_offered = NULL;
