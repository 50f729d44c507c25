module Main where

import qualified Data.Map.Strict as Map

main :: IO ()
main = do
  let counts = Map.fromListWith (+) [("word" ++ show (i * 7 `mod` 300), 1 :: Int) | i <- [0 .. 2999 :: Int]]
  putStrLn (show (Map.size counts) ++ " words, " ++ show (sum (Map.elems counts)))
