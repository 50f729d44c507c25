words = arrayfun(@(i) sprintf("word%d", mod(i * 7, 300)), 0:2999, "UniformOutput", false);
a = magic(60);
printf("%d words %.3f\n", numel(unique(words)), norm(a * inv(a + eye(60))));
