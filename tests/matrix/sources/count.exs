counts = Enum.reduce(0..29_999, %{}, fn i, all -> Map.update(all, "word#{rem(i * 7, 300)}", 1, &(&1 + 1)) end)
sum = 1..8 |> Enum.map(&Task.async(fn -> String.length(String.duplicate("x", &1 * 10_000)) end)) |> Task.await_many() |> Enum.sum()
IO.puts("#{map_size(counts)} words #{sum}")
